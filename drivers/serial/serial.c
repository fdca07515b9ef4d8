/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550's registers as in its data sheet. Linux may use the same port later. */
#include <base/x86.h>
#include <drivers/serial/serial.h>

#define THR	0	/* transmit holding; divisor latch low when LCR_DLAB */
#define IER	1	/* interrupt enable; divisor latch high when LCR_DLAB */
#define FCR	2
#define LCR	3
#define MCR	4
#define LSR	5
#define SCR	7	/* scratch */

#define FCR_ENABLE	0x07	/* FIFOs on, both cleared */
#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define MCR_DTR_RTS	0x03
#define LSR_THRE	0x20

#define DIVISOR_115200	1
#define LOOKS		10000	/* a look takes about a microsecond, a byte at 9600 baud 1 ms */

static u16 base;
static bool stuck;		/* the last wait was in vain */

static bool has_scratch(u16 port, u8 value)
{
	outb(port + SCR, value);
	return inb(port + SCR) == value;
}

bool serial_init(u16 port)
{
	base = 0;
	stuck = false;
	if (!has_scratch(port, 0x5A) || !has_scratch(port, 0xA5))
		return false;
	outb(port + IER, 0);
	outb(port + LCR, LCR_DLAB | LCR_8N1);
	outb(port + THR, DIVISOR_115200);
	outb(port + IER, 0);
	outb(port + LCR, LCR_8N1);
	outb(port + FCR, FCR_ENABLE);
	outb(port + MCR, MCR_DTR_RTS);
	base = port;
	return true;
}

/* Wait until a byte can go. One at a time: Linux, which probes every port, may have switched the
 * FIFO off. */
static bool wait(void)
{
	unsigned int looks = stuck ? 1 : LOOKS;

	while (looks--) {
		if (inb(base + LSR) & LSR_THRE) {
			stuck = false;
			return true;
		}
		pause();
	}
	stuck = true;
	return false;
}

static void put(char c)
{
	if (wait())
		outb(base + THR, (u8)c);
}

static void serial_write(const char *text, size_t length)
{
	if (!base)
		return;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			put('\r');
		put(text[i]);
	}
}

const struct console serial_console = { .write = serial_write };
