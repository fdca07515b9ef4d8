/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID as a secure process sees it. */
#ifndef HV_CORE_LEAVES_H
#define HV_CORE_LEAVES_H

#include <base/x86.h>

/* On this CPU, while its process view's XCR0 is in force. */
struct cpuid leaves_process(u32 leaf, u32 subleaf);

/* Carrel's own leaves (40000000h to 400000FFh), the same in every view. */
struct cpuid leaves_own(u32 leaf);

#endif
