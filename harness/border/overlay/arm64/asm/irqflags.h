/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* DAIF is a variable: user mode can neither read nor write it. */
#include_next <asm/irqflags.h>
#ifndef LZ_ASM_IRQFLAGS_H
#define LZ_ASM_IRQFLAGS_H
#ifndef __ASSEMBLER__
unsigned long lz_irqs_off(void);
void lz_set_irqs_off(unsigned long off);
#define arch_local_save_flags() lz_irqs_off()
#define arch_irqs_disabled_flags(flags) ((flags) != 0)
#define arch_irqs_disabled() (lz_irqs_off() != 0)
#define arch_local_irq_disable() lz_set_irqs_off(1)
#define arch_local_irq_enable() lz_set_irqs_off(0)
#define arch_local_irq_save() ({ unsigned long lz_was = lz_irqs_off(); lz_set_irqs_off(1); lz_was; })
#define arch_local_irq_restore(flags) lz_set_irqs_off(flags)
#endif
#endif
