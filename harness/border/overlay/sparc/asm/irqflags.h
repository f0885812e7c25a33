/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* The interrupt level is a variable of the glue: %pil can be read and written in privileged mode alone. */
#include_next <asm/irqflags.h>
#if !defined(LZ_ASM_IRQFLAGS_H) && !defined(__ASSEMBLER__)
#define LZ_ASM_IRQFLAGS_H
extern unsigned long lz_pil;
void lz_set_pil(unsigned long pil);
#define LZ_PIL_OFF 14
#define arch_local_save_flags() (lz_pil)
#define arch_local_irq_restore(flags) lz_set_pil(flags)
#define arch_local_irq_disable() lz_set_pil(LZ_PIL_OFF)
#define arch_local_irq_enable() lz_set_pil(0)
#define arch_irqs_disabled_flags(flags) ((flags) > 0)
#define arch_irqs_disabled() (lz_pil > 0)
#define arch_local_irq_save() ({ unsigned long lz_was = lz_pil; lz_set_pil(LZ_PIL_OFF); lz_was; })
#endif
