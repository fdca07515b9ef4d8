/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
const struct test event_tests[] = { { NULL, NULL } };
