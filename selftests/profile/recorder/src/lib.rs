// SPDX-License-Identifier: GPL-2.0

//! A plugin of QEMU that writes down each instruction that a guest of one processor executes between
//! two marks, see [`profile::trace`]. Until then it costs a comparison for each.
//!
//! `-plugin librecorder.so,out=FILE`

mod qemu;

use std::{
    ffi::{
        c_int,
        c_uint,
        c_void,
        CStr, //
    },
    fs::File,
    io::{
        BufWriter,
        Write, //
    },
    slice,
    sync::{
        Mutex,
        OnceLock,
        PoisonError, //
    },
};

use profile::trace::{
    Run,
    BEGIN,
    END, //
};

use crate::qemu::{
    Arguments,
    Block,
    Instruction,
    Number,
    NOT_EQUAL,
    NO_REGISTERS, //
};

/// What is recorded.
struct Recorder {
    out: BufWriter<File>,
    /// What is being executed.
    run: Run,
}

impl Recorder {
    /// One more instruction, which is the `first` that was translated as one piece, or not.
    fn executed(&mut self, address: u64, first: bool) {
        if first || self.run.count == u16::MAX {
            self.write();
            self.run = Run {
                start: address,
                count: 0,
            };
        }
        self.run.count += 1;
    }

    fn write(&mut self) {
        if self.run.count > 0 {
            self.put(self.run);
        }
        self.run.count = 0;
    }

    fn put(&mut self, run: Run) {
        self.out
            .write_all(&run.to_bytes())
            .expect("the trace can be written");
    }

    fn begin(&mut self) {
        self.put(Run::BEGIN);
    }

    fn end(&mut self) {
        self.write();
        self.out.flush().expect("the trace can be written");
    }
}

static RECORDER: Mutex<Option<Recorder>> = Mutex::new(None);

fn with_recorder(act: impl FnOnce(&mut Recorder)) {
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);

    if let Some(recorder) = recorder.as_mut() {
        act(recorder);
    }
}

/// Whether it records: a number that QEMU's code looks at.
struct Recording(Number);

// SAFETY: It is a handle, which QEMU lets any thread use.
unsafe impl Send for Recording {}
// SAFETY: As above.
unsafe impl Sync for Recording {}

static RECORDING: OnceLock<Recording> = OnceLock::new();

impl Recording {
    fn get() -> &'static Self {
        RECORDING.get_or_init(|| {
            // SAFETY: May be called whenever the plugin is installed.
            let scoreboard = unsafe { qemu::qemu_plugin_scoreboard_new(size_of::<u64>()) };

            Self(Number {
                scoreboard,
                offset: 0,
            })
        })
    }

    fn set(&self, processor: c_uint, on: bool) {
        // SAFETY: The number is within its scoreboard, and the processor is one that executes.
        unsafe { qemu::qemu_plugin_u64_set(self.0, processor, on.into()) };
    }
}

extern "C" fn on_begin(processor: c_uint, _: *mut c_void) {
    with_recorder(Recorder::begin);
    Recording::get().set(processor, true);
}

extern "C" fn on_end(processor: c_uint, _: *mut c_void) {
    Recording::get().set(processor, false);
    with_recorder(Recorder::end);
}

/// An address, and whether it is the first of its block, in the size of a pointer: the upper bits of
/// an address are all the same.
fn packed(address: u64, first: bool) -> *mut c_void {
    std::ptr::without_provenance_mut(((address << 1) | u64::from(first)) as usize)
}

extern "C" fn on_instruction(_: c_uint, data: *mut c_void) {
    let packed = data.addr();

    with_recorder(|it| it.executed((packed as i64 >> 1) as u64, packed & 1 != 0));
}

extern "C" fn on_translated(_: u64, block: *mut Block) {
    // SAFETY: QEMU passes a block that is valid until this returns, and indices are in it.
    unsafe {
        for index in 0..qemu::qemu_plugin_tb_n_insns(block) {
            watch(qemu::qemu_plugin_tb_get_insn(block, index), index == 0);
        }
    }
}

/// # Safety
///
/// `instruction` is one of a block that is being translated.
unsafe fn watch(instruction: *mut Instruction, first: bool) {
    let mut bytes = [0; BEGIN.len()];

    // SAFETY: By the safety requirements of this function; not more than `bytes` are written; the
    // functions expect what they are given, and may be called at any time.
    unsafe {
        let len = qemu::qemu_plugin_insn_data(instruction, bytes.as_mut_ptr().cast(), bytes.len());
        let mark: Option<qemu::Executed> = match bytes {
            BEGIN if len == BEGIN.len() => Some(on_begin),
            END if len == END.len() => Some(on_end),
            _ => None,
        };

        qemu::qemu_plugin_register_vcpu_insn_exec_cond_cb(
            instruction,
            on_instruction,
            NO_REGISTERS,
            NOT_EQUAL,
            Recording::get().0,
            0,
            packed(qemu::qemu_plugin_insn_vaddr(instruction), first),
        );
        if let Some(mark) = mark {
            qemu::qemu_plugin_register_vcpu_insn_exec_cb(
                instruction,
                mark,
                NO_REGISTERS,
                std::ptr::null_mut(),
            );
        }
    }
}

/// The value of `out` among words `KEY=VALUE`.
///
/// # Safety
///
/// There are `count` words.
unsafe fn out(count: usize, words: Arguments) -> Option<String> {
    // SAFETY: By the safety requirements of this function; the words are strings.
    let mut words = unsafe { slice::from_raw_parts(words, count) }
        .iter()
        .map(|&word| unsafe { CStr::from_ptr(word) }.to_string_lossy());

    words.find_map(|word| word.strip_prefix("out=").map(str::to_owned))
}

/// Called by QEMU; what is not 0 is a failure.
///
/// # Safety
///
/// There are `count` words.
#[no_mangle]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _: *const c_void,
    count: c_int,
    words: Arguments,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: By the safety requirements of this function.
    let Some(path) = (count > 0).then(|| unsafe { out(count, words) }).flatten() else {
        eprintln!("recorder: out=FILE is missing");
        return 1;
    };
    let out = match File::create(&path) {
        Ok(file) => BufWriter::with_capacity(1 << 20, file),
        Err(error) => {
            eprintln!("recorder: {path}: {error}");
            return 1;
        }
    };

    *RECORDER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Recorder {
        out,
        run: Run::BEGIN,
    });
    // SAFETY: `id` is that of this plugin.
    unsafe { qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated) };
    0
}
