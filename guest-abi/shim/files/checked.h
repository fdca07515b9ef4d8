/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of files that the manifest lists. Such a file is read whole when it is opened and
 * held against its hash; what the program then reads or maps comes from that image, so that the
 * host can change neither code nor the headers by which a loader places it. Reading and writing
 * are served here; whatever else would make the kernel read the file is refused.
 *
 * Listed is what the program opens by the very path that the manifest has, absolute; and, since
 * loaders find a library in more than one folder, any file with the last name of a listed one and
 * the contents of a listed one.
 */
#ifndef SHIM_CHECKED_H
#define SHIM_CHECKED_H

#include "files/file.h"
#include "shim.h"

/* The image behind `fd`, or NULL. It may go away with its descriptor: copy_try. */
const struct image *checked_image(uint64_t fd);

/* The calls that the next two have to do with: a bit for each number, which is below CALLS. */
extern const uint64_t checked_calls[8];

static inline bool checked_concerns(uint64_t number)
{
	return checked_calls[number / 64] >> (number % 64) & 1;
}

/* Serve the call if it is one on such a descriptor. */
bool checked_serve(struct thread *t, uint64_t number, const uint64_t arg[6], int64_t *value);

/* After a call that gave `value`: what was opened, copied, closed? The value for the program. */
int64_t checked_after(struct thread *t, uint64_t number, const uint64_t arg[6], int64_t value);

/* Descriptors from `first` to `last` are closed. */
void checked_close(struct thread *t, uint64_t first, uint64_t last);

/* Forget all. */
void checked_reset(void);

#endif
