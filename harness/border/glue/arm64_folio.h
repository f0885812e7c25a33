/* SPDX-License-Identifier: MIT OR Apache-2.0 OR GPL-2.0 */
/* Of each LZ_FRAMES_PERIOD page frames those from LZ_LONE_FRAMES on are in no folio of several pages. */
#ifndef LZ_ARM64_FOLIO_H
#define LZ_ARM64_FOLIO_H
#define LZ_FRAMES_PERIOD 64u
#define LZ_LONE_FRAMES 48u

void lz_folios_boot(void);
#endif
