/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 serial port as a console: polled, 115200 baud, 8n1. */
#ifndef DRIVERS_SERIAL_SERIAL_H
#define DRIVERS_SERIAL_SERIAL_H

#include <base/log.h>

/*
 * Program the port at I/O address `port`. False if nothing there behaves like a
 * 16550; serial_console then writes nowhere. Once, at boot.
 */
bool serial_init(u16 port);

/* Writes "\r\n" for each "\n". Never waits longer than about 10 ms, and once it had to
 * give up no longer than one look, until the port takes bytes again. */
extern const struct console serial_console;

#endif
