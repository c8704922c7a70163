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
                    _ => frame.render_widget(self.table(&lines), body),
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
        if matches!(self.view, View::Rules | View::Drops) {
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

    fn table(&self, lines: &Lines) -> Table<'static> {
        let shown = lines.lines.iter().skip(self.scrolled);
        let widths = lines.heading.iter().enumerate().map(|(column, heading)| {
            let cells = lines.lines.iter().filter_map(|line| line.get(column));
            let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            let width = longest.max(heading.chars().count());

            // Names may be long; numbers are seen whole.
            Constraint::Max(u16::try_from(width).unwrap_or(u16::MAX).min(32))
        });

        Table::new(
            shown.map(|line| Row::new(line.clone())),
            widths.collect::<Vec<_>>(),
        )
        .header(Row::new(lines.heading.clone()).style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(2)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ratatui::{
        backend::TestBackend,
        Terminal, //
    };

    use super::{super::sample::tests::sample, *};

    /// The lines of a screen of that size after these keys.
    fn shown(width: u16, height: u16, keys: &[KeyCode]) -> Vec<String> {
        let begin = Instant::now();
        let (before, now) = (sample(begin, 10), sample(begin, 12));
        let mut screen = Screen::new();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();

        for key in keys {
            assert!(!screen.press(KeyEvent::new(*key, KeyModifiers::NONE)));
        }
        terminal
            .draw(|frame| screen.draw(frame, Some(&Change::new(&before, &now))))
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
                " rules  CPUs  latency  host drops   by rate",
                "RULE    CLASS  ON   PKT/S  BIT/S   PACKETS",
                "cache   high   yes  1000   800.0k  12007",
                "backup  bulk   yes  400    320.0k  4807",
                "idle    high   yes  0      0       7",
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
        assert!(shown(80, 24, &[Tab, Tab, Tab])[3].starts_with("eth0: ring is full"));
        assert!(shown(80, 24, &[Tab; 4])[2].starts_with("RULE"));
    }

    #[test]
    fn small_and_large_screens_hold() {
        for (width, height) in [(1, 1), (10, 3), (40, 10), (80, 5), (200, 60), (300, 100)] {
            for tabs in 0..4 {
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
