/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four-level tables: walk, map, unmap, split and protect, over an entry format.
 * The same code serves the hypervisor's own map, NPT, EPT, private guest tables
 * and IOMMU tables; a format says what the bits mean, a memory says
 * where table frames come from.
 *
 * Levels are the manuals': 1 = PTE (4 KiB), 2 = PDE (2 MiB), 3 = PDPTE (1 GiB),
 * 4 = PML4E. Not locked: the owner of a table serialises its changes. Walks by
 * hardware go on meanwhile, so every entry changes by one aligned 8-byte store,
 * and a split fills the new table before it is linked.
 *
 * A CPU may have cached the way to a table, so a table that was linked once is
 * given back only by table_prune and table_destroy, whose memory's `free` must
 * not hand the frame out again before the flush debts of that moment are paid.
 * table_unmap keeps emptied tables: mapping there again needs no frame.
 *
 * Entries that are not present belong to the table's owner: any value but 0
 * means "in use" here and is never overwritten by table_map.
 */
#ifndef HV_MM_TABLE_H
#define HV_MM_TABLE_H

#include <base/types.h>

#define TABLE_R		1U
#define TABLE_W		2U
#define TABLE_X		4U
#define TABLE_USER	8U	/* CPL 3 may use it (formats that know CPL) */
#define TABLE_SHARED	16U	/* one memory of parent and child after a fork (private tables) */

enum memory_type {	/* PAT and MTRR encodings, SDM "Memory Types That Can Be Encoded" */
	MEMORY_UC = 0,
	MEMORY_WC = 1,
	MEMORY_WT = 4,
	MEMORY_WP = 5,
	MEMORY_WB = 6,
};

/* Common to all formats: where the address lies, and the bit that makes an entry of level 2 or 3
 * a leaf (something else at level 1). */
#define TABLE_ADDRESS	0x000FFFFFFFFFF000ULL
#define TABLE_LEAF	BIT(7)

/* One const object per entry format; all functions are pure. */
struct table_format {
	const char *name;
	bool (*present)(u64 entry);
	unsigned int (*rights)(u64 entry);		/* TABLE_* of a leaf */
	enum memory_type (*type)(u64 entry);		/* of a leaf */
	u64 (*make_leaf)(u64 pa, unsigned int level, unsigned int rights, enum memory_type type);
	u64 (*make_branch)(u64 table_pa, unsigned int level);	/* in an entry of `level` */
};

/* Where table frames come from: zeroed, page-aligned; 0 when there is none left. */
struct table_memory {
	u64 (*alloc)(struct table_memory *memory);
	void (*free)(struct table_memory *memory, u64 pa);
};

struct table {
	const struct table_format *format;
	struct table_memory *memory;
	u64 root;		/* physical address of the level-4 table */
	u8 largest_leaf;	/* highest level that may hold a leaf on this machine: 1, 2 or 3 */
};

struct table_walk {
	u64 entry;		/* the last entry read */
	unsigned int level;	/* its level */
	bool present;
	u64 pa;			/* of the address asked for, if a present leaf was found */
	unsigned int rights;
};

/* Returns 0 or -1 (no frame for the root). */
int table_init(struct table *table, const struct table_format *format,
	       struct table_memory *memory, unsigned int largest_leaf);

/* Bytes that one entry of `level` covers. */
static inline u64 table_size(unsigned int level)
{
	return PAGE_SIZE << 9 * (level - 1);
}

/*
 * Map [va, va + size) to [pa, pa + size) with the largest leaves that alignment
 * allows. All page-aligned; nothing may be present or in use there yet (ASSERT).
 * Returns 0, or -1 when table frames ran out: then nothing of the range is mapped.
 */
int table_map(struct table *table, u64 va, u64 pa, u64 size, unsigned int rights,
	      enum memory_type type);

/* Make the range not present, splitting larger leaves at its edges. Entries that are not
 * present stay as they are. Returns 0, or -1 (no frame for a split; nothing changed). */
int table_unmap(struct table *table, u64 va, u64 size);

/* Change the rights (not 0) of what is present in the range; holes are left. As above. */
int table_protect(struct table *table, u64 va, u64 size, unsigned int rights);

/* Where `va` leads. */
struct table_walk table_walk(const struct table *table, u64 va);

/*
 * The entry that decides about `va`: the first on the way that is no branch, or the level-1
 * entry. Never NULL; *level tells where it stands. It covers the table_size(*level) bytes
 * around `va`.
 */
u64 *table_entry(const struct table *table, u64 va, unsigned int *level);

/* Put a table whose 512 entries are `fill` in place of the not-present `entry` of `level`
 * (2 or more). Returns the new table's first entry, NULL if there is no frame. */
u64 *table_grow(struct table *table, u64 *entry, unsigned int level, u64 fill);

/* Pointer to the level-1 entry of `va`, making tables as needed; NULL if no frame, or a
 * larger leaf or an entry in use is in the way. For callers that keep software bits in
 * not-present entries. */
u64 *table_slot(struct table *table, u64 va);

/* True if the table that `entry` lies in holds nothing; it looks around `entry` first. */
bool table_is_empty(const u64 *entry);

/* Give back the tables on the way to `va` that hold nothing, lowest first; never the root. */
void table_prune(struct table *table, u64 va);

/*
 * Give every table frame back, the root last (`root` becomes 0); leaves are not touched. At
 * most `*budget` frames in one call, and `*budget` is lowered by what was used: returns true
 * when done, false when more is left (call again). No CPU may enter the table any more.
 */
bool table_destroy(struct table *table, unsigned int *budget);

/* One store that a hardware walk sees whole, and after everything written before it. */
static inline void table_set(u64 *entry, u64 value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static inline u64 table_get(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

#endif
