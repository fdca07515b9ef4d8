/* SPDX-License-Identifier: BSD-2-Clause */
/* Two bits for each descriptor. See fds.h. */
#include "epoll.h"
#include "fds.h"

/* Most processes hide none, and every call asks. */
static bool hiding;

bool fds_valid(int64_t fd)
{
	return fd >= 0 && fd < FDS_MAX;
}

bool fds_add(int64_t fd)
{
	uint64_t bit = 1UL << (fd & 63);

	if (!fds_valid(fd) || (carrier()->open_fds[fd / 64] & bit))
		return false;
	carrier()->open_fds[fd / 64] |= bit;
	return true;
}

void fds_remove(uint64_t fd)
{
	uint64_t bit = 1UL << (fd & 63);

	if (fd >= FDS_MAX)
		return;
	epoll_forget(carrier(), fd);
	carrier()->open_fds[fd / 64] &= ~bit;
	carrier()->random_fds[fd / 64] &= ~bit;
	carrier()->hidden_fds[fd / 64] &= ~bit;
}

void fds_set_random(uint64_t fd)
{
	if (fd < FDS_MAX)
		carrier()->random_fds[fd / 64] |= 1UL << (fd & 63);
}

bool fds_is_random(uint64_t fd)
{
	return fd < FDS_MAX && carrier()->random_fds[fd / 64] >> (fd & 63) & 1;
}

void fds_hide(uint64_t fd)
{
	hiding = true;
	if (fd < FDS_MAX)
		carrier()->hidden_fds[fd / 64] |= 1UL << (fd & 63);
}

bool fds_is_hidden(uint64_t fd)
{
	return hiding && fd < FDS_MAX && carrier()->hidden_fds[fd / 64] >> (fd & 63) & 1;
}
