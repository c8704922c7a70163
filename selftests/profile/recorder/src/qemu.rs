// SPDX-License-Identifier: GPL-2.0

//! What is used of QEMU's interface for plugins, version 4 of it.
//!
//! C header: `include/qemu/qemu-plugin.h` of QEMU.

use std::ffi::{
    c_char,
    c_int,
    c_uint,
    c_void, //
};

/// Code of the guest as it is translated, as one piece.
#[repr(C)]
pub struct Block {
    _opaque: [u8; 0],
}

/// An instruction of a block.
#[repr(C)]
pub struct Instruction {
    _opaque: [u8; 0],
}

/// What QEMU's code can look at for each processor.
#[repr(C)]
pub struct Scoreboard {
    _opaque: [u8; 0],
}

/// A number in a scoreboard.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Number {
    pub scoreboard: *mut Scoreboard,
    pub offset: usize,
}

/// The version that this is of.
#[no_mangle]
pub static qemu_plugin_version: c_int = 4;

/// `QEMU_PLUGIN_CB_NO_REGS`: the function looks at no register.
pub const NO_REGISTERS: c_int = 0;
/// `QEMU_PLUGIN_COND_NE`: the function is called where a number is another one.
pub const NOT_EQUAL: c_int = 3;

pub type Translated = extern "C" fn(id: u64, block: *mut Block);
pub type Executed = extern "C" fn(processor: c_uint, data: *mut c_void);

extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, function: Translated);
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        function: Executed,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cond_cb(
        instruction: *mut Instruction,
        function: Executed,
        flags: c_int,
        condition: c_int,
        number: Number,
        other: u64,
        data: *mut c_void,
    );
    pub fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    pub fn qemu_plugin_insn_data(
        instruction: *const Instruction,
        to: *mut c_void,
        len: usize,
    ) -> usize;
    pub fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    pub fn qemu_plugin_scoreboard_new(element: usize) -> *mut Scoreboard;
    pub fn qemu_plugin_u64_set(number: Number, processor: c_uint, value: u64);
}

/// The words of a command line.
pub type Arguments = *const *const c_char;
