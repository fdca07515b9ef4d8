/* SPDX-License-Identifier: BSD-2-Clause */
#include "carrier.h"

struct carrier carriers[CARRIERS_MAX];
