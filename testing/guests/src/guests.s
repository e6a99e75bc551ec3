# SPDX-License-Identifier: Apache-2.0
#
# Guests that fit into a boot sector, in 16-bit code. Rust's own assembler reads this file (AT&T syntax). It is data: what is
# written as an absolute address is where the firmware loads it, at_NAME.

        .section .rodata.ferrostack_guests, "a", @progbits
        .code16
        .set    LOADED, 0x7c00
        .set    SERIAL, 0x3f8
        .set    VARIABLES, 0x7e00

        .macro  guest_begins name
        .globl  guest_\name
guest_\name:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $LOADED, %sp
        .endm

        .macro  guest_ends name
        .globl  guest_\name\()_end
guest_\name\()_end:
        .endm

        .macro  guest_says letters:vararg
        movw    $SERIAL, %dx
        .irp    letter, \letters
        movb    $\letter, %al
        outb    %al, %dx
        .endr
        .endm

# Idles until its power button is pressed, and turns itself off then.
        .macro  guest_obeys
        movw    $0x602, %dx                     # ACPI: listen to the button
        movw    $0x100, %ax
        outw    %ax, %dx
        movw    $0x600, %dx
7:      sti
        hlt                                     # until the next tick of the clock
        inw     %dx, %ax
        testb   $1, %ah
        jz      7b
        guest_turns_off
        .endm

        .macro  guest_turns_off
        movw    $0x604, %dx
        movw    $0x2000, %ax
        outw    %ax, %dx
8:      jmp     8b
        .endm

        .macro  guest_idles
9:      sti
        hlt
        jmp     9b
        .endm

        guest_begins obedient
        guest_says 'h', 'e', 'l', 'l', 'o', '\n'
        guest_obeys
        guest_ends obedient

# Lets go of every device that it is asked to let go of, as a system with ACPI does: by the registers of PCI hot plug, bus by bus.
        .set    HOTPLUG, 0xcc0                  # going at 4, let go at 8, which bus at 16
        guest_begins courteous
        guest_says 'h', 'e', 'l', 'l', 'o', '\n'
        movw    $0x602, %dx
        movw    $0x100, %ax
        outw    %ax, %dx
1:      sti
        hlt
        movl    $32, %ecx
2:      decl    %ecx
        movl    %ecx, %eax
        movw    $HOTPLUG + 16, %dx
        outl    %eax, %dx
        movw    $HOTPLUG + 4, %dx
        inl     %dx, %eax
        testl   %eax, %eax
        jz      3f
        movw    $HOTPLUG + 8, %dx
        outl    %eax, %dx
3:      testl   %ecx, %ecx
        jnz     2b
        movw    $0x600, %dx
        inw     %dx, %ax
        testb   $1, %ah
        jz      1b
        guest_turns_off
        guest_ends courteous

# Says what is typed on its serial port, small letters large and large ones small, until its power button is pressed.
        guest_begins answering
        guest_says 'h', 'e', 'l', 'l', 'o', '\n'
        movw    $0x602, %dx                     # ACPI: listen to the button
        movw    $0x100, %ax
        outw    %ax, %dx
1:      sti
        hlt
        movw    $0x600, %dx
        inw     %dx, %ax
        testb   $1, %ah
        jnz     3f
2:      movw    $SERIAL + 5, %dx
        inb     %dx, %al
        testb   $1, %al                         # something has come
        jz      1b
        movw    $SERIAL, %dx
        inb     %dx, %al
        xorb    $0x20, %al
        outb    %al, %dx
        jmp     2b
3:      guest_turns_off
        guest_ends answering

        guest_begins tired
        guest_turns_off
        guest_ends tired

        guest_begins stubborn
        guest_idles
        guest_ends stubborn

        guest_begins panicking
        guest_says 'h', 'e', 'l', 'l', 'o', '\n'
        movw    $0x505, %dx                     # pvpanic
        movb    $1, %al
        outb    %al, %dx
        guest_says 'o', 'n', '\n'
        guest_obeys
        guest_ends panicking

# Writes 8 MiB, 32 KiB at a time, by the firmware.
        guest_begins writing
        movb    %dl, VARIABLES
        guest_says 'h', 'e', 'l', 'l', 'o', '\n'
1:      movw    $at_writing_packet, %si
        movw    $64, 2(%si)
        movb    VARIABLES, %dl
        movw    $0x4300, %ax
        sti
        int     $0x13
        jc      2f
        addl    $64, at_writing_packet + 8
        cmpl    $(8 << 20) / 512, at_writing_packet + 8
        jb      1b
        guest_says 'd', 'o', 'n', 'e', '\n'
        guest_obeys
2:      guest_says 'l', 'o', 's', 't', '\n'
        guest_idles
writing_packet:
        .byte   16, 0
        .word   64                              # so many sectors
        .word   0, 0x1000                       # from here
        .quad   64                              # to there
        guest_ends writing
        .set    at_writing_packet, writing_packet - guest_writing + LOADED

# Says hello under every accelerator but KVM. There it goes to where no code can be, in the I/O APIC's registers, and KVM
# cannot tell what to do.
        guest_begins unfit_for_kvm
        movl    $0x40000000, %eax
        cpuid
        cmpl    $0x4b4d564b, %ebx               # KVMK…
        je      1f
        guest_says 'h', 'e', 'l', 'l', 'o', '\n'
        guest_obeys
1:      lgdtl   at_unfit_gdtr
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $0xfec00000
unfit_gdt:
        .quad   0, 0x00cf9a000000ffff
unfit_gdtr:
        .word   unfit_gdtr - unfit_gdt - 1
        .long   unfit_gdt - guest_unfit_for_kvm + LOADED
        guest_ends unfit_for_kvm
        .set    at_unfit_gdtr, unfit_gdtr - guest_unfit_for_kvm + LOADED

# Winds up the watchdog (i6300esb) in slot 0x1e for two tenths of a second and never feeds it.
        .set    PCI_DEVICE, 0x8000f000
        .macro  watchdog_unlock
        movw    $0x80, %fs:0x0c(%ebx)
        movw    $0x86, %fs:0x0c(%ebx)
        .endm
        guest_begins forgetful
        lgdtl   at_forgetful_gdtr               # fs reaches all of the memory
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        movw    $8, %cx
        movw    %cx, %fs
        andb    $0xfe, %al
        movl    %eax, %cr0
        movw    $0xcf8, %dx                     # where its registers are
        movl    $PCI_DEVICE + 0x10, %eax
        outl    %eax, %dx
        movw    $0xcfc, %dx
        inl     %dx, %eax
        andl    $0xfffffff0, %eax
        movl    %eax, %ebx
        watchdog_unlock
        movl    $100, %fs:(%ebx)                # two stages, in milliseconds
        watchdog_unlock
        movl    $100, %fs:4(%ebx)
        movw    $0xcf8, %dx                     # on
        movl    $PCI_DEVICE + 0x68, %eax
        outl    %eax, %dx
        movw    $0xcfc, %dx
        movb    $2, %al
        outb    %al, %dx
        guest_says 'h', 'e', 'l', 'l', 'o', '\n'
        guest_idles
forgetful_gdt:
        .quad   0, 0x00cf92000000ffff
forgetful_gdtr:
        .word   forgetful_gdtr - forgetful_gdt - 1
        .long   forgetful_gdt - guest_forgetful + LOADED
        guest_ends forgetful
        .set    at_forgetful_gdtr, forgetful_gdtr - guest_forgetful + LOADED

        .code64
        .text
