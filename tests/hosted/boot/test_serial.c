/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver against a model of a 16550 that loses what its FIFO has no room for. */
#include <base/x86.h>
#include <drivers/serial/serial.h>

#include "test.h"

static struct {
	bool present, dead;
	u8 scratch, lcr, ier, fcr, mcr;
	u16 divisor;
	unsigned int fifo, reads, lost;	/* bytes in the FIFO; looks at LSR */
	char sent[256];
	size_t length;
} uart;

u8 inb(u16 port)
{
	if (!uart.present || port < 0x3F8 || port > 0x3FF)
		return 0xFF;
	if (port == 0x3FF)
		return uart.scratch;
	if (port != 0x3FD)
		return 0;
	uart.reads++;
	if (!uart.dead && uart.fifo && uart.reads % 50 == 0)
		uart.fifo--;			/* a byte leaves */
	return uart.fifo || uart.dead ? 0 : 0x60;
}

void outb(u16 port, u8 value)
{
	if (!uart.present || port < 0x3F8 || port > 0x3FF)
		return;
	if (port == 0x3F8 && uart.lcr & 0x80) {
		uart.divisor = (uart.divisor & 0xFF00) | value;
	} else if (port == 0x3F8) {
		if (uart.fifo == 16 || uart.length == sizeof(uart.sent) - 1)
			uart.lost++;
		else
			uart.sent[uart.length++] = value, uart.fifo++;
	} else if (port == 0x3F9 && uart.lcr & 0x80) {
		uart.divisor = (uart.divisor & 0x00FF) | value << 8;
	} else if (port == 0x3F9) {
		uart.ier = value;
	} else if (port == 0x3FA) {
		uart.fcr = value;
	} else if (port == 0x3FB) {
		uart.lcr = value;
	} else if (port == 0x3FC) {
		uart.mcr = value;
	} else if (port == 0x3FF) {
		uart.scratch = value;
	}
}

static bool start(void)
{
	memset(&uart, 0, sizeof(uart));
	uart.present = true;
	uart.divisor = 0x1234;
	uart.ier = 0xF;
	return serial_init(0x3F8);
}

static void test_init(void)
{
	CHECK(start());
	CHECK_EQ(uart.divisor, 1);
	CHECK_EQ(uart.lcr, 3);
	CHECK_EQ(uart.ier, 0);
	CHECK_EQ(uart.fcr & 1, 1);
	CHECK_EQ(uart.mcr & 3, 3);
}

static void test_write(void)
{
	const char *text = "a line that is longer than one FIFO\nand another\n";

	start();
	serial_console.write(text, strlen(text));
	serial_console.write("x", 1);
	CHECK(!strcmp(uart.sent, "a line that is longer than one FIFO\r\nand another\r\nx"));
	CHECK_EQ(uart.lost, 0);
}

static void test_absent(void)
{
	memset(&uart, 0, sizeof(uart));
	CHECK(!serial_init(0x3F8));
	serial_console.write("text", 4);
	CHECK_EQ(uart.length, 0);
	CHECK_EQ(uart.reads, 0);
}

/* A port that takes no byte any more costs one bounded wait, then next to nothing. */
static void test_stuck(void)
{
	start();
	uart.dead = true;
	serial_console.write("text\n", 5);
	CHECK(uart.reads <= 10010);
	uart.reads = 0;
	serial_console.write("text\n", 5);
	CHECK(uart.reads <= 6);
	CHECK_EQ(uart.length, 0);
	uart.dead = false;
	serial_console.write("back", 4);
	CHECK(!strcmp(uart.sent, "back"));
}

const struct test serial_tests[] = {
	{ "serial: 115200 8n1, interrupts off", test_init },
	{ "serial: no byte is lost", test_write },
	{ "serial: no port", test_absent },
	{ "serial: a port that hangs", test_stuck },
	{ 0 }
};
