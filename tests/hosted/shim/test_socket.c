/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
const struct test socket_tests[] = { { NULL, NULL } };
