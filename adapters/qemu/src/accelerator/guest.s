# SPDX-License-Identifier: Apache-2.0
#
# The guest of the accelerator's probe: what an operating system does with a processor while it starts, stage by stage.
#
# It is a disk image. The firmware loads its first sector to 0x7c00, and it loads the rest of itself behind that. After each
# stage it says one letter on the debug console (see STAGES in probe.rs); at the end it ends its machine with an exit code
# that nothing else produces. Whatever it finds wrong ends the machine with another one; an interrupt that nobody expects
# has no handler, so that the machine resets, which ends it too.
#
# Rust's own assembler reads this file (AT&T syntax). It is data to us and is never linked to an address, so absolute
# addresses are written as what they are once the firmware has loaded it: probe_at_NAME.

        .section .rodata.ferrostack_probe, "a", @progbits
        .globl  ferrostack_probe_start
        .globl  ferrostack_probe_end

        .set    PORT_EXIT, 0xf4                 # isa-debug-exit
        .set    PORT_SAY, 0xe9                  # isa-debugcon
        .set    VALUE_DONE, 0x31
        .set    VALUE_WRONG, 0x32

# Memory below 640 KiB that nobody else uses.
        .set    STACK, 0x7c00                   # grows down
        .set    DRIVE, 0x6000                   # a byte: the drive that we were loaded from
        .set    PIC_MASKS, 0x6002               # two bytes: what the firmware had masked
        .set    NUMBERS, 0x6010                 # four 32-bit results
        .set    OTHER_CPU, 0x6020               # a byte: set by the second processor
        .set    TICKS, 0x6024                   # 32 bits: interrupts of the local APIC's timer
        .set    IDT, 0x10000
        .set    PML4, 0x11000
        .set    PDPT, 0x12000
        .set    PD, 0x13000                     # four pages
        .set    IDT64, 0x17000
        .set    TSS, 0x18000
        .set    KERNEL_STACK, 0x1a000
        .set    USER_STACK, 0x1c000

# Selectors: offsets into the table at probe_gdt.
        .set    CODE32, 0x08
        .set    DATA, 0x10
        .set    CODE16, 0x18
        .set    CODE64, 0x20
        .set    USER_BASE, 0x30
        .set    USER_DATA, 0x3b                 # 0x38 at privilege level 3
        .set    USER_CODE, 0x43                 # 0x40 at privilege level 3
        .set    TASK, 0x48
        .set    DATA16, 0x58

        .set    APIC, 0xfee00000
        .set    IOAPIC, 0xfec00000
        .set    HPET, 0xfed00000

        .macro  probe_say letter
        movb    $\letter, %al
        outb    %al, $PORT_SAY
        .endm

        .macro  probe_segments selector
        movw    $\selector, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        .endm

        .macro  probe_enter_protected_mode target
        lgdtl   probe_at_gdtr
        movl    %cr0, %eax
        orb     $1, %al                         # PE
        movl    %eax, %cr0
        ljmpl   $CODE32, $\target
        .endm

# ---- 16 bits, as the firmware leaves us ----------------------------------------------------------------------------------
        .code16
ferrostack_probe_start:
        ljmpw   $0, $probe_at_real
probe_real:
        cli
        cld
        probe_segments 0
        movw    $STACK, %sp
        movb    %dl, DRIVE
        inb     $0x21, %al
        movb    %al, PIC_MASKS
        inb     $0xa1, %al
        movb    %al, PIC_MASKS + 1
        sti
        call    probe_load
        cli
        jc      probe_wrong_near
        probe_say 'R'
        probe_enter_protected_mode probe_at_protected
probe_wrong_near:
        jmp     probe_wrong

probe_load:                                     # the sectors behind the first, by the firmware
        movw    $probe_at_packet, %si
        movb    DRIVE, %dl
        movb    $0x42, %ah
        int     $0x13
        ret
probe_packet:
        .byte   16, 0
        .word   probe_sectors - 1               # so many
        .word   0x7e00, 0                       # to here
        .quad   1                               # from the second one on

        .balign 8
probe_gdt:
        .quad   0
        .quad   0x00cf9a000000ffff              # CODE32
        .quad   0x00cf92000000ffff              # DATA
        .quad   0x00009a000000ffff              # CODE16
        .quad   0x00af9a000000ffff              # CODE64
        .quad   0x00cf92000000ffff              # the stack's that goes with it after syscall
        .quad   0x00cffa000000ffff              # USER_BASE: 32-bit code of users, not used
        .quad   0x00cff2000000ffff              # USER_DATA
        .quad   0x00affa000000ffff              # USER_CODE
        .quad   0x0000890180000067, 0           # TASK: the segment at TSS
        .quad   0x000092000000ffff              # DATA16
probe_gdtr:
        .word   probe_gdtr - probe_gdt - 1
        .long   probe_at_gdt
probe_idtr32:
        .word   8 * 256 - 1
        .long   IDT
probe_idtr64:
        .word   16 * 256 - 1
        .quad   IDT64
probe_ivtr:                                     # real mode's table of interrupts
        .word   0x3ff
        .long   0

        .org    510
        .byte   0x55, 0xaa

# ---- 32 bits, without paging ---------------------------------------------------------------------------------------------
        .code32
probe_protected:
        probe_segments DATA
        movl    $STACK, %esp
        probe_say 'P'

        movl    $IDT, %edi                      # no handlers but these
        movl    $(2 * 256), %ecx
        xorl    %eax, %eax
        rep stosl
        movl    $probe_at_invalid32, %eax
        movl    $6, %ecx
        call    probe_gate32
        movl    $probe_at_tick32, %eax
        movl    $0x20, %ecx
        call    probe_gate32
        movl    $probe_at_call32, %eax
        movl    $0x40, %ecx
        call    probe_gate32
        lidtl   probe_at_idtr32

        xorl    %ebx, %ebx                      # a call by interrupt and an exception: both end by iret
        int     $0x40
        cmpl    $1, %ebx
        jne     probe_wrong
        ud2
        cmpl    $2, %ebx
        jne     probe_wrong
        probe_say 'I'

        movb    $0x20, %bl                      # the interval timer, by the interrupt controller of old
        movb    $0x28, %bh
        movw    $0xfffe, %dx
        call    probe_set_pic
        movw    $1193, %cx                      # a thousand times a second
        call    probe_set_timer
        xorl    %ebx, %ebx
1:      sti
        hlt
        cli
        cmpl    $3, %ebx
        jb      1b
        probe_say 'T'

        movb    $0x08, %bl                      # as the firmware had it
        movb    $0x70, %bh
        movw    PIC_MASKS, %dx
        call    probe_set_pic
        xorw    %cx, %cx
        call    probe_set_timer
        ljmpl   $CODE16, $probe_at_leaving

probe_call32:
        incl    %ebx
        iretl
probe_invalid32:
        incl    %ebx
        addl    $2, (%esp)                      # on behind the ud2
        iretl
probe_tick32:
        incl    %ebx
        pushl   %eax
        movb    $0x20, %al                      # the end of the interrupt
        outb    %al, $0x20
        popl    %eax
        iretl

probe_gate32:                                   # interrupt ecx is handled at eax
        leal    IDT(, %ecx, 8), %edi
        movw    %ax, (%edi)
        movw    $CODE32, 2(%edi)
        movw    $0x8e00, 4(%edi)
        shrl    $16, %eax
        movw    %ax, 6(%edi)
        ret
probe_set_pic:                                  # interrupts from bl and bh on, masked by dl and dh
        movb    $0x11, %al
        outb    %al, $0x20
        outb    %al, $0xa0
        movb    %bl, %al
        outb    %al, $0x21
        movb    %bh, %al
        outb    %al, $0xa1
        movb    $4, %al
        outb    %al, $0x21
        movb    $2, %al
        outb    %al, $0xa1
        movb    $1, %al
        outb    %al, $0x21
        outb    %al, $0xa1
        movb    %dl, %al
        outb    %al, $0x21
        movb    %dh, %al
        outb    %al, $0xa1
        ret
probe_set_timer:                                # 1193182 / cx times a second
        movb    $0x34, %al
        outb    %al, $0x43
        movb    %cl, %al
        outb    %al, $0x40
        movb    %ch, %al
        outb    %al, $0x40
        ret

# ---- back to 16 bits and to the firmware, as every boot loader goes ------------------------------------------------------
        .code16
probe_leaving:
        probe_segments DATA16
        lidtl   probe_at_ivtr
        movl    %cr0, %eax
        andb    $0xfe, %al
        movl    %eax, %cr0
        ljmpw   $0, $probe_at_back
probe_back:
        probe_segments 0
        movw    $STACK, %sp
        sti
        call    probe_load                      # the same once more: it is the firmware's part that counts
        cli
        jc      probe_wrong
        probe_say 'B'
        probe_enter_protected_mode probe_at_paging

# ---- to 64 bits: paging, with the lowest 4 GiB where they are --------------------------------------------------------------
        .code32
probe_paging:
        probe_segments DATA
        movl    $STACK, %esp
        movb    $0xff, %al                      # the interrupt controller of old is done with
        outb    %al, $0x21
        outb    %al, $0xa1
        movl    $PML4, %edi
        movl    $(6 * 1024), %ecx
        xorl    %eax, %eax
        rep stosl
        movl    $(PDPT + 7), PML4               # present, writable, users may
        movl    $(PD + 0x0007), PDPT
        movl    $(PD + 0x1007), PDPT + 8
        movl    $(PD + 0x2007), PDPT + 16
        movl    $(PD + 0x3007), PDPT + 24
        movl    $PD, %edi
        movl    $0x87, %eax                     # the same, of 2 MiB
        movl    $2048, %ecx
1:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        loop    1b
        movl    $PML4, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x620, %eax                    # PAE, OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx               # EFER: LME, SCE
        rdmsr
        orl     $0x101, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $0xfffffff3, %eax               # neither EM nor TS: there is a floating point unit
        orl     $0x80000022, %eax               # PG, NE, MP
        movl    %eax, %cr0
        ljmpl   $CODE64, $probe_at_long

# ---- 64 bits ---------------------------------------------------------------------------------------------------------------
        .code64
probe_long:
        probe_segments DATA
        movl    $STACK, %esp
        probe_say 'L'

        movups  probe_floats(%rip), %xmm0       # (2x)² of 1, 2, 3, 4
        addps   %xmm0, %xmm0
        mulps   %xmm0, %xmm0
        cvtps2dq %xmm0, %xmm0
        movl    $NUMBERS, %edi
        movups  %xmm0, (%rdi)
        cmpl    $4, (%rdi)
        jne     probe_wrong
        cmpl    $36, 8(%rdi)
        jne     probe_wrong
        probe_say 'S'

        movl    $IDT64, %edi
        movl    $1024, %ecx
        xorl    %eax, %eax
        rep stosl
        leaq    probe_fault64(%rip), %rax
        movl    $14, %ecx
        call    probe_gate64
        leaq    probe_tick64(%rip), %rax
        movl    $0x50, %ecx
        call    probe_gate64
        leaq    probe_device64(%rip), %rax
        movl    $0x51, %ecx
        call    probe_gate64
        lidt    probe_idtr64(%rip)

        xorl    %ebx, %ebx                      # a page that is not there yet is brought in when it is touched
        movabsq $(0x8000000000 + STACK), %rsi
        movl    (%rsi), %eax
        movl    $STACK, %edi
        cmpl    (%rdi), %eax
        jne     probe_wrong
        cmpl    $1, %ebx
        jne     probe_wrong
        probe_say 'F'

        movl    $APIC, %esi                     # the local APIC's timer
        movl    $0x1ff, 0xf0(%rsi)              # APIC on
        movl    $0x0b, 0x3e0(%rsi)              # count each tick of its clock
        movl    $0x50, 0x320(%rsi)              # once, then interrupt 0x50
        xorl    %ebx, %ebx
        movl    $100000, 0x380(%rsi)
1:      sti
        hlt
        cli
        cmpl    $1, %ebx
        jb      1b
        probe_say 'A'

        movl    $HPET, %edi                     # a device in memory
        movl    (%rdi), %eax
        shrl    $16, %eax
        cmpl    $0x8086, %eax                   # its maker
        jne     probe_wrong
        movl    $1, 0x10(%rdi)                  # run
        movl    0xf0(%rdi), %eax
1:      pause
        cmpl    %eax, 0xf0(%rdi)                # until it has counted on
        je      1b
        probe_say 'M'

        movl    0x20(%rsi), %eax                # a device at ports that interrupts by the I/O APIC: the serial port
        andl    $0xff000000, %eax               # to this processor
        movl    $IOAPIC, %edi
        movl    $0x19, (%rdi)
        movl    %eax, 0x10(%rdi)
        movl    $0x18, (%rdi)                   # line 4 is interrupt 0x51
        movl    $0x51, 0x10(%rdi)
        xorl    %ebx, %ebx
        movw    $0x3fc, %dx
        movb    $0x08, %al
        outb    %al, %dx
        movw    $0x3f9, %dx                     # interrupt when there is nothing left to send
        movb    $0x02, %al
        outb    %al, %dx
1:      sti
        hlt
        cli
        cmpl    $1, %ebx
        jb      1b
        movw    $0x3f8, %dx
        movb    $'.', %al
        outb    %al, %dx
1:      sti
        hlt
        cli
        cmpl    $2, %ebx
        jb      1b
        probe_say 'D'

        movl    $OTHER_CPU, %edi                # a second processor
        movb    $0, (%rdi)
        movl    $0xc4500, 0x300(%rsi)           # all others: begin anew,
        movl    $1000000, %ecx
1:      pause
        loop    1b
        movl    $0xc4609, 0x300(%rsi)           # at 0x9000
1:      pause
        cmpb    $1, (%rdi)
        jne     1b
        probe_say 'C'

        movl    $TSS, %edi                      # a program with no rights: it calls us, and is interrupted
        movl    $26, %ecx
        xorl    %eax, %eax
        rep stosl
        movl    $TSS, %edi
        movl    $KERNEL_STACK, 4(%rdi)
        movw    $TASK, %ax
        ltr     %ax
        movl    $0xc0000081, %ecx               # STAR: selectors
        xorl    %eax, %eax
        movl    $((USER_BASE + 3) << 16 | CODE64), %edx
        wrmsr
        movl    $0xc0000082, %ecx               # LSTAR: where its calls arrive
        leaq    probe_syscall(%rip), %rax
        xorl    %edx, %edx
        wrmsr
        movl    $0xc0000084, %ecx               # FMASK: without interrupts
        movl    $0x200, %eax
        wrmsr
        movl    $TICKS, %edi
        movl    $0, (%rdi)
        xorl    %ebp, %ebp
        pushq   $USER_DATA
        pushq   $USER_STACK
        pushq   $0x202
        pushq   $USER_CODE
        leaq    probe_user(%rip), %rax
        pushq   %rax
        iretq
probe_user:
        syscall
1:      pause
        cmpl    $0, (%rdi)
        je      1b
        syscall
probe_syscall:
        incl    %ebp
        cmpl    $2, %ebp
        je      1f
        movl    $100000, 0x380(%rsi)
        sysretq
1:      movl    $KERNEL_STACK, %esp
        probe_say 'U'

        movb    $VALUE_DONE, %al
        outb    %al, $PORT_EXIT
1:      hlt
        jmp     1b

probe_fault64:
        movl    $(PDPT + 7), PML4 + 8
        addq    $8, %rsp                        # the error code
        incl    %ebx
        iretq
probe_tick64:
        incl    TICKS
        incl    %ebx
        movl    $0, 0xb0(%rsi)                  # the end of the interrupt; rsi is the APIC throughout
        iretq
probe_device64:
        pushq   %rax
        pushq   %rdx
        movw    $0x3fa, %dx                     # asked why, it lets go of its line
        inb     %dx, %al
        popq    %rdx
        popq    %rax
        incl    %ebx
        movl    $0, 0xb0(%rsi)
        iretq

probe_gate64:                                   # interrupt ecx is handled at rax
        shll    $4, %ecx
        leaq    IDT64(%rcx), %rdi
        movw    %ax, (%rdi)
        movw    $CODE64, 2(%rdi)
        movw    $0x8e00, 4(%rdi)
        shrl    $16, %eax
        movw    %ax, 6(%rdi)
        movq    $0, 8(%rdi)
        ret

        .balign 4
probe_floats:
        .float  1, 2, 3, 4

# ---- something is not as it should be: these bytes mean the same in every mode ---------------------------------------------
probe_wrong:
        movb    $VALUE_WRONG, %al
        outb    %al, $PORT_EXIT
1:      hlt
        jmp     1b

# ---- where the second processor begins, in 16 bits: at 0x9000 --------------------------------------------------------------
        .org    0x9000 - 0x7c00
        .code16
        xorw    %ax, %ax
        movw    %ax, %ds
        movb    $1, OTHER_CPU
1:      cli
        hlt
        jmp     1b

        .balign 512
ferrostack_probe_end:
        .code64

        .set    probe_sectors, (ferrostack_probe_end - ferrostack_probe_start) / 512
        .set    probe_at_real, probe_real - ferrostack_probe_start + 0x7c00
        .set    probe_at_packet, probe_packet - ferrostack_probe_start + 0x7c00
        .set    probe_at_gdt, probe_gdt - ferrostack_probe_start + 0x7c00
        .set    probe_at_gdtr, probe_gdtr - ferrostack_probe_start + 0x7c00
        .set    probe_at_idtr32, probe_idtr32 - ferrostack_probe_start + 0x7c00
        .set    probe_at_ivtr, probe_ivtr - ferrostack_probe_start + 0x7c00
        .set    probe_at_protected, probe_protected - ferrostack_probe_start + 0x7c00
        .set    probe_at_call32, probe_call32 - ferrostack_probe_start + 0x7c00
        .set    probe_at_invalid32, probe_invalid32 - ferrostack_probe_start + 0x7c00
        .set    probe_at_tick32, probe_tick32 - ferrostack_probe_start + 0x7c00
        .set    probe_at_leaving, probe_leaving - ferrostack_probe_start + 0x7c00
        .set    probe_at_back, probe_back - ferrostack_probe_start + 0x7c00
        .set    probe_at_paging, probe_paging - ferrostack_probe_start + 0x7c00
        .set    probe_at_long, probe_long - ferrostack_probe_start + 0x7c00
        .text
