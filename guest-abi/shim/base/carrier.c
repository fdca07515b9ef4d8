/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/carrier.h"

struct carrier carriers[CARRIERS_MAX] LARGE;
