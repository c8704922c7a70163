# SPDX-License-Identifier: GPL-2.0
#
# How a module gets the library: for the Kbuild of a directory that has this one
# as rust/. Its objects are rust/knet.o and those of rust/helpers that are needed;
# the Rust object of the module itself is in knet_user, relative to $(obj).

ccflags-y += -I$(src)/rust/helpers

# The module is the same wherever it is built.
ccflags-y += -ffile-prefix-map=$(abspath $(src))/=
rustflags-y += --remap-path-prefix=$(abspath $(src))/= --remap-path-prefix=$(abspath $(obj))/=

RUSTFLAGS_$(knet_user) := --extern knet=$(obj)/rust/libknet.rmeta -L $(obj)/rust
$(obj)/$(knet_user): $(obj)/rust/knet.o

# UBSAN's reports name files by their absolute path, which GCC does not map. Where
# it traps, there is none.
ifndef CONFIG_UBSAN_TRAP
UBSAN_SANITIZE := n
endif

# The library is compiled once more than an object: its metadata is what the
# module's crate is checked against.
RUSTFLAGS_rust/knet.o += --emit=metadata=$(obj)/rust/libknet.rmeta

$(obj)/rust/knet.o: $(obj)/rust/bindings_generated.rs
$(obj)/rust/knet.o: export KNET_BINDINGS := $(abspath $(obj))/rust/bindings_generated.rs
# Made beside the object: where it is missing, the object is made again.
ifeq ($(wildcard $(obj)/rust/libknet.rmeta),)
$(shell rm -f $(obj)/rust/knet.o)
endif

# bindgen reads C through libclang; options that only GCC has are left out, as
# rust/Makefile of the kernel does.
knet_skip_c_flags := -mno-fp-ret-in-387 -mpreferred-stack-boundary=% \
	-mskip-rax-setup -mgeneral-regs-only -msign-return-address=% \
	-mindirect-branch=thunk-extern -mindirect-branch-register \
	-mfunction-return=thunk-extern -mrecord-mcount -mabi=lp64 \
	-mindirect-branch-cs-prefix -mstack-protector-guard% -mtraceback=no \
	-mno-pointers-to-nested-functions -mno-string \
	-mno-strict-align -mstrict-align -mdirect-extern-access \
	-mexplicit-relocs -mno-check-zero-division \
	-fconserve-stack -falign-jumps=% -falign-loops=% \
	-femit-struct-debug-baseonly -fno-ipa-cp-clone -fno-ipa-sra \
	-fno-partial-inlining -fplugin-arg-arm_ssp_per_task_plugin-% \
	-fno-reorder-blocks -fno-allow-store-data-races -fasan-shadow-offset=% \
	-fzero-call-used-regs=% -fno-stack-clash-protection \
	-fno-inline-functions-called-once -fsanitize=bounds-strict \
	-fstrict-flex-arrays=% -fmin-function-alignment=% \
	-fzero-init-padding-bits=% -mno-fdpic \
	-fdiagnostics-show-context -fdiagnostics-show-context=% \
	--param=% --param asan-% -fno-isolate-erroneous-paths-dereference \
	-ffixed-r2 -mmultiple -mno-readonly-in-sdata

quiet_cmd_knet_bindgen = BINDGEN $@
      cmd_knet_bindgen = \
	$(BINDGEN) $< $(shell sed -e 's/\#.*//' $(src)/rust/bindgen_parameters) \
		--rust-target 1.85 --use-core --ctypes-prefix kernel::ffi \
		--with-derive-default --no-layout-tests --no-doc-comments --no-debug '.*' \
		-o $@ -- $(filter-out $(knet_skip_c_flags), $(c_flags)) \
		-w --target=$(BINDGEN_TARGET_$(SRCARCH)) -fno-builtin \
		-D__BINDGEN__ -DMODULE

BINDGEN_TARGET_x86 := x86_64-linux-gnu
BINDGEN_TARGET_arm64 := aarch64-linux-gnu
BINDGEN_TARGET_riscv := riscv64-linux-gnu

$(obj)/rust/bindings_generated.rs: $(src)/rust/bindings_helper.h \
		$(src)/rust/helpers/knet.h $(src)/rust/helpers/control.h \
		$(src)/rust/helpers/napi.h $(src)/rust/helpers/express.h \
		$(src)/rust/helpers/nic.h $(src)/rust/helpers/receivers.h \
		$(src)/rust/helpers/route.h $(src)/rust/helpers/sink.h \
		$(src)/rust/helpers/trace.h $(src)/rust/helpers/reasons.h \
		$(src)/rust/bindgen_parameters FORCE
	$(call if_changed_dep,knet_bindgen)

targets += rust/bindings_generated.rs
clean-files += rust/bindings_generated.rs rust/libknet.rmeta
