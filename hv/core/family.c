/* SPDX-License-Identifier: BSD-2-Clause */
#include "family.h"

#include <base/log.h>

static struct family families[FAMILY_MAX];
static struct lock table_lock;	/* ids and members; taken last */

struct family *family_make(void)
{
	struct family *family = NULL;

	lock_take(&table_lock);
	for (u16 i = 0; i < FAMILY_MAX && !family; i++) {
		if (families[i].id)
			continue;
		family = &families[i];
		*family = (struct family){ .id = i + 1, .members = 1 };
	}
	lock_release(&table_lock);
	return family;
}

void family_join(struct family *family)
{
	lock_take(&table_lock);
	family->members++;
	lock_release(&table_lock);
}

bool family_leave(struct family *family)
{
	bool left;

	lock_take(&table_lock);
	left = family->members > 1;
	family->members -= left;
	lock_release(&table_lock);
	return left;
}

void family_end(struct family *family)
{
	ASSERT(family->members == 1 && !family->chunks);
	lock_take(&table_lock);
	family->id = 0;
	lock_release(&table_lock);
}

struct family *family_of(const struct chunk *chunk)
{
	ASSERT(chunk->state == CHUNK_FAMILY && chunk->family && chunk->family <= FAMILY_MAX);
	return &families[chunk->family - 1];
}
