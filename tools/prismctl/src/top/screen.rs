// SPDX-License-Identifier: GPL-2.0

//! The screen: what is shown of it, and what keys do.

use ratatui::{
    crossterm::event::{
        KeyCode,
        KeyEvent,
        KeyModifiers, //
    },
    layout::{
        Constraint,
        Layout, //
    },
    style::{
        Modifier,
        Style, //
    },
    text::{
        Line,
        Span, //
    },
    widgets::{
        Paragraph,
        Row,
        Table, //
    },
    Frame,
};

use super::view::{
    Change,
    Lines,
    Sort,
    View, //
};

/// What is shown, and how.
pub(super) struct Screen {
    view: View,
    sort: Sort,
    pub(super) is_paused: bool,
    /// How many lines are above.
    scrolled: usize,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            view: View::Rules,
            sort: Sort::Rate,
            is_paused: false,
            scrolled: 0,
        }
    }

    /// Does what a key is for. Whether it is to end.
    pub(super) fn press(&mut self, key: KeyEvent) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);

        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('c') if is_control => return true,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Tab => {
                self.view = self.view.next();
                self.scrolled = 0;
            }
            KeyCode::Down => self.scrolled = self.scrolled.saturating_add(1),
            KeyCode::Up => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::PageDown => self.scrolled = self.scrolled.saturating_add(10),
            KeyCode::PageUp => self.scrolled = self.scrolled.saturating_sub(10),
            _ => (),
        }
        false
    }

    /// Draws all of it; `None` before there is anything to be compared.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, change: Option<&Change<'_>>) {
        let [top, tabs, body, keys] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let summary = change.map_or_else(|| "prism".to_owned(), Change::summary);

        frame.render_widget(Paragraph::new(summary), top);
        frame.render_widget(Paragraph::new(self.tabs()), tabs);
        frame.render_widget(
            Paragraph::new("tab view  s sort  p pause  up/down scroll  q quit")
                .style(Style::new().add_modifier(Modifier::DIM)),
            keys,
        );
        match change.map(|change| change.lines(self.view, self.sort)) {
            None => frame.render_widget(Paragraph::new("counting"), body),
            Some(lines) => {
                let room = usize::from(body.height).saturating_sub(1);

                self.scrolled = self.scrolled.min(lines.lines.len().saturating_sub(room));
                match lines.hint {
                    Some(hint) if lines.lines.is_empty() => {
                        frame.render_widget(Paragraph::new(hint), body);
                    }
                    _ => frame.render_widget(self.table(&lines, body.width), body),
                }
            }
        }
    }

    fn tabs(&self) -> Line<'static> {
        let mut spans = Vec::new();

        for view in View::ALL {
            let style = if view == self.view {
                Style::new().add_modifier(Modifier::REVERSED)
            } else {
                Style::new()
            };

            spans.push(Span::styled(format!(" {} ", view.title()), style));
        }
        if self.view.is_sorted() {
            spans.push(Span::raw(format!("  {}", self.sort.title())));
        }
        if self.is_paused {
            spans.push(Span::styled(
                "  paused",
                Style::new().add_modifier(Modifier::BOLD),
            ));
        }
        Line::from(spans)
    }

    fn table(&self, lines: &Lines, room: u16) -> Table<'static> {
        let columns = columns(lines, room.into());
        let row = |line: &Vec<String>| {
            let cells = columns
                .iter()
                .filter_map(|&(column, width)| Some(cut(line.get(column)?, width)));

            Row::new(cells.collect::<Vec<_>>())
        };
        let shown = lines.lines.iter().skip(self.scrolled);
        let constraints = columns
            .iter()
            .map(|&(_, width)| Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX)));
        let headings = columns
            .iter()
            .filter_map(|&(column, _)| lines.heading.get(column).copied());

        Table::new(shown.map(row), constraints)
            .header(
                Row::new(headings.collect::<Vec<_>>())
                    .style(Style::new().add_modifier(Modifier::BOLD)),
            )
            .column_spacing(SPACING)
    }
}

/// Between columns.
const SPACING: u16 = 2;

/// Which columns are shown, and how wide they are: numbers are seen whole, and names, which are in the first,
/// have what is left. Where that is little, columns that can be spared are not there.
fn columns(lines: &Lines, room: usize) -> Vec<(usize, usize)> {
    const LEAST: usize = 8;
    const ENOUGH: usize = 16;
    let longest = lines.heading.iter().enumerate().map(|(column, heading)| {
        let cells = lines.lines.iter().filter_map(|line| line.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);

        (column, longest.max(heading.chars().count()))
    });
    let mut columns: Vec<(usize, usize)> = longest.collect();
    let left = |columns: &[(usize, usize)]| {
        let others = columns.iter().skip(1);
        let taken: usize = others.map(|(_, width)| width + usize::from(SPACING)).sum();

        room.saturating_sub(taken)
    };
    let names = columns.first().map_or(0, |(_, width)| *width);

    for spare in lines.spare {
        if left(&columns) < names.min(ENOUGH) {
            columns.retain(|(column, _)| lines.heading.get(*column) != Some(spare));
        }
    }
    let left = left(&columns);
    if let Some((_, width)) = columns.first_mut() {
        *width = left.max(LEAST).min(names);
    }
    columns
}

/// A text in so many characters. What is left out is in its middle, as names may differ at their ends alone.
fn cut(text: &str, width: usize) -> String {
    let all: Vec<char> = text.chars().collect();

    if all.len() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (begin, end) = (&all[..kept / 2], &all[all.len() - kept.div_ceil(2)..]);

    begin.iter().chain(['…'].iter()).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        time::{
            Duration,
            Instant, //
        },
    };

    use prism_config::Counts;
    use ratatui::{
        backend::TestBackend,
        Terminal, //
    };

    use super::{
        super::sample::{
            tests::sample,
            Sample, //
        },
        *,
    };
    use crate::counted::RuleCount;

    /// The lines of a screen of that size after these keys.
    fn shown(width: u16, height: u16, keys: &[KeyCode]) -> Vec<String> {
        shown_of(&sample(Instant::now(), 12), width, height, keys)
    }

    /// Those of what is now.
    fn shown_of(now: &Sample, width: u16, height: u16, keys: &[KeyCode]) -> Vec<String> {
        let before = sample(now.at - Duration::from_secs(12), 10);
        let mut screen = Screen::new();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();

        for key in keys {
            assert!(!screen.press(KeyEvent::new(*key, KeyModifiers::NONE)));
        }
        terminal
            .draw(|frame| screen.draw(frame, Some(&Change::new(&before, now))))
            .unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| {
            let cells = (0..width).map(|x| buffer[(x, y)].symbol());

            cells.collect::<String>().trim_end().to_owned()
        };
        (0..height).map(line).collect()
    }

    #[test]
    fn rules_at_the_usual_size() {
        let lines = shown(80, 24, &[]);

        assert_eq!(
            lines[..6],
            [
                "prism  mode sync  isolate on  3 rules  classified 1400/s  at once 700/s",
                " rules  CPUs  latency  rule latency  host drops   by rate",
                "RULE    CLASS  ON   PKT/S  BIT/S   DROP/S  HALF    99%        PACKETS  DROPPED",
                "cache   high   yes  1000   800.0k  0       2.6us   5.1us      12007    0",
                "backup  bulk   yes  400    320.0k  3       20.5us  20.5us  w  4807     36",
                "idle    high   yes  0      0       0       -       -          7        0",
            ]
        );
        assert_eq!(
            lines[23],
            "tab view  s sort  p pause  up/down scroll  q quit"
        );
    }

    #[test]
    fn keys_change_what_is_shown() {
        use KeyCode::{
            Char,
            Tab, //
        };

        assert_eq!(
            shown(80, 24, &[Char('s'), Char('s')])[3].split(' ').next(),
            Some("backup")
        );
        assert!(shown(80, 24, &[Char('p')])[1].ends_with("paused"));
        assert!(!shown(80, 24, &[Char('p'), Char('p')])[1].ends_with("paused"));
        assert!(shown(80, 24, &[Tab])[2].starts_with("CPU  LOOKED UP  AT ONCE"));
        let latency = shown(80, 24, &[Tab, Tab]);
        assert!(
            latency[2].starts_with("CLASS             PACKETS  HALF   99%    ALL"),
            "{latency:?}"
        );
        assert!(
            latency[3].starts_with("high   delivered  200      2.6us  5.1us  1.3ms"),
            "{latency:?}"
        );
        assert!(latency[3].contains('█'));
        let latency = shown(80, 24, &[Tab; 3]);
        assert!(
            latency[2].starts_with("RULE               PACKETS  HALF    99%     ALL     1us"),
            "{latency:?}"
        );
        assert!(
            latency[3].starts_with("cache   delivered  200      2.6us   5.1us   1.3ms"),
            "{latency:?}"
        );
        assert!(shown(80, 24, &[Tab; 4])[3].starts_with("eth0: ring is full"));
        assert!(shown(80, 24, &[Tab; 5])[2].starts_with("RULE    CLASS"));
    }

    #[test]
    fn long_names_are_told_apart() {
        let mut now = sample(Instant::now(), 12);
        let rule = |packets| RuleCount {
            class: "interactive".to_owned(),
            enabled: true,
            counts: Counts {
                packets,
                bytes: 0,
                dropped: Some(0),
            },
        };
        let name = |port| format!("docker:000000000001:u1mlcxjhvrwz:{port}");

        now.rules = BTreeMap::from([(name(0), rule(1_234_567)), (name(1), rule(0))]);
        now.measures = Some(false);
        assert_eq!(
            shown_of(&now, 80, 24, &[])[2..5],
            [
                "RULE                   CLASS        ON   PKT/S   BIT/S  DROP/S  PACKETS  DROPPED",
                "docker:000…cxjhvrwz:0  interactive  yes  617.3k  0      0       1234567  0",
                "docker:000…cxjhvrwz:1  interactive  yes  0       0      0       0        0",
            ]
        );
        assert_eq!(
            shown_of(&now, 60, 24, &[])[2..5],
            [
                "RULE                 CLASS        ON   PKT/S   BIT/S  DROP/S",
                "docker:00…xjhvrwz:0  interactive  yes  617.3k  0      0",
                "docker:00…xjhvrwz:1  interactive  yes  0       0      0",
            ]
        );
        now.measures = Some(true);
        assert_eq!(
            shown_of(&now, 80, 24, &[])[2..4],
            [
                "RULE               CLASS        ON   PKT/S   BIT/S  DROP/S  HALF  99%    PACKETS",
                "docker:0…jhvrwz:0  interactive  yes  617.3k  0      0       -     -      1234567",
            ]
        );
    }

    #[test]
    fn times_of_rules_with_long_names_have_room() {
        let mut now = sample(Instant::now(), 12);
        let times = now.by_rule.as_mut().unwrap();
        let cache = times.delivered.remove("cache").unwrap();

        times
            .delivered
            .insert("docker:000000000001:u1mlcxjhvrwz:0".to_owned(), cache);
        let lines = shown_of(&now, 80, 24, &[KeyCode::Tab; 3]);
        assert!(
            lines[3].starts_with("docker:…jhvrwz:0  delivered  1200     2.6us   5.1us   1.3ms"),
            "{lines:?}"
        );
        assert!(lines[3].contains('█'), "{lines:?}");
    }

    #[test]
    fn what_is_left_out_is_in_the_middle() {
        for (text, width, shown) in [
            ("cache", 5, "cache"),
            ("cache", 4, "c…he"),
            ("cache", 3, "c…e"),
            ("ä…öü", 3, "ä…ü"),
            ("cache", 1, "…"),
        ] {
            assert_eq!(cut(text, width), shown);
        }
    }

    #[test]
    fn small_and_large_screens_hold() {
        for (width, height) in [(1, 1), (10, 3), (40, 10), (80, 5), (200, 60), (300, 100)] {
            for tabs in 0..View::ALL.len() {
                assert_eq!(
                    shown(width, height, &[KeyCode::Tab].repeat(tabs)).len(),
                    usize::from(height)
                );
            }
        }
        assert!(shown(40, 10, &[])[3].starts_with("cache"));
    }

    #[test]
    fn it_scrolls_as_far_as_there_is_something() {
        // Two of three lines have room.
        let lines = shown(80, 6, &[KeyCode::Down; 9]);
        assert!(lines[2].starts_with("RULE"));
        assert!(
            lines[3].starts_with("backup") && lines[4].starts_with("idle"),
            "{lines:?}"
        );
        let lines = shown(80, 6, &[KeyCode::Down, KeyCode::Up]);
        assert!(lines[3].starts_with("cache"));
    }

    #[test]
    fn some_keys_end_it() {
        let mut screen = Screen::new();

        assert!(screen.press(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(screen.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!screen.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::NONE)));
    }
}
