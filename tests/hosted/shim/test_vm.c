/* SPDX-License-Identifier: BSD-2-Clause */
/* The map of the program's memory against a model with an entry for each page. */
#include "test.h"

#define PAGE		4096UL
#define BASE		0x40000000UL
#define PAGES		96
#define RW		(CARREL_R | CARREL_W)

static struct {
	bool there, backed;
	uint8_t rights;
} model[PAGES];

static uint64_t at(uint64_t page)
{
	return BASE + page * PAGE;
}

static void check_model(void)
{
	CHECK(vm_check() == NULL);
	for (uint64_t i = 0; i < PAGES; i++) {
		struct vm_range r;
		bool there = vm_find(at(i), &r) && r.start <= at(i);

		CHECK_EQ(there, model[i].there);
		CHECK_EQ(vm_covered(at(i), at(i + 1)), there);
		CHECK_EQ(vm_free(at(i), at(i + 1)), !there);
		CHECK(!there || (r.rights == model[i].rights && r.backed == model[i].backed));
	}
}

static uint64_t model_prefix(uint64_t page, uint64_t pages, uint8_t rights)
{
	uint64_t n = 0;

	while (n < pages && page + n < PAGES && model[page + n].there &&
	       (model[page + n].rights & rights) == rights)
		n++;
	return n;
}

static uint64_t model_gap(uint64_t pages)
{
	for (uint64_t start = PAGES - pages + 1; start-- > 0;) {
		uint64_t n = 0;

		while (n < pages && !model[start + n].there)
			n++;
		if (n == pages)
			return at(start);
	}
	return 0;
}

static void random_operations(void)
{
	static const uint8_t rights[] = { 0, CARREL_R, RW, CARREL_R | CARREL_X };

	vm_reset();
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 10000; i++) {
		uint64_t first = random_below(PAGES), n = 1 + random_below(8);
		uint64_t last = first + n < PAGES ? first + n : PAGES;
		uint8_t r = rights[random_below(4)];
		bool backed = r || random_below(2);

		switch (random_below(5)) {
		case 0:
			if (!vm_free(at(first), at(last)))
				break;
			CHECK(vm_insert(at(first), at(last), r, backed));
			for (uint64_t p = first; p < last; p++) {
				model[p].there = true;
				model[p].rights = r;
				model[p].backed = backed;
			}
			break;
		case 1:
			vm_remove(at(first), at(last));
			for (uint64_t p = first; p < last; p++)
				model[p].there = false;
			break;
		case 2:
			if (!vm_covered(at(first), at(last)))
				break;
			vm_protect(at(first), at(last), r, true);
			for (uint64_t p = first; p < last; p++) {
				model[p].rights = r;
				model[p].backed = true;
			}
			break;
		case 3:
			CHECK_EQ(vm_prefix(at(first) + 5, n * PAGE - 5, r),
				 model_prefix(first, n, r) ? model_prefix(first, n, r) * PAGE - 5 : 0);
			break;
		default:
			CHECK_EQ(vm_gap(BASE, at(PAGES), n * PAGE, PAGE), model_gap(n));
		}
		check_model();
	}
}

static void bounds(void)
{
	CHECK(vm_range_ok(VM_LOW, PAGE));
	CHECK(!vm_range_ok(VM_LOW - PAGE, 2 * PAGE));
	CHECK(!vm_range_ok(0, PAGE));
	CHECK(!vm_range_ok(BASE + 1, PAGE));
	CHECK(!vm_range_ok(BASE, PAGE - 1));
	CHECK(!vm_range_ok(BASE, 0));
	CHECK(vm_range_ok(VM_HIGH - PAGE, PAGE));
	CHECK(!vm_range_ok(VM_HIGH - PAGE, 2 * PAGE));
	CHECK(!vm_range_ok(VM_HIGH, PAGE));
	CHECK(!vm_range_ok(BASE, UINT64_MAX & ~(PAGE - 1)));
	CHECK(vm_range_ok(CARREL_BASE - PAGE, PAGE));
	CHECK(!vm_range_ok(CARREL_BASE - PAGE, 2 * PAGE));
	CHECK(!vm_range_ok(CARREL_CHANNEL_VA, PAGE));
	CHECK(!vm_range_ok(CARREL_END - PAGE, PAGE));
	CHECK(vm_range_ok(CARREL_END, PAGE));
	CHECK(!vm_range_ok(BASE, CARREL_END));
}

static void prefixes(void)
{
	vm_reset();
	vm_insert(at(0), at(2), RW, true);
	vm_insert(at(2), at(3), CARREL_R, true);
	CHECK_EQ(vm_prefix(at(0), 3 * PAGE, CARREL_R), 3 * PAGE);
	CHECK_EQ(vm_prefix(at(0), 3 * PAGE, RW), 2 * PAGE);
	CHECK_EQ(vm_prefix(at(1) + 1, 1, RW), 1);
	CHECK_EQ(vm_prefix(at(0), UINT64_MAX, CARREL_R), 3 * PAGE);
	CHECK_EQ(vm_prefix(at(0), -at(0), CARREL_R), 3 * PAGE);
	CHECK_EQ(vm_prefix(at(0) - 1, 2, CARREL_R), 0);
	CHECK_EQ(vm_prefix(at(3), 1, CARREL_R), 0);
	CHECK_EQ(vm_prefix(UINT64_MAX, UINT64_MAX, CARREL_R), 0);
	CHECK_EQ(vm_prefix(at(0), 0, CARREL_R), 0);
}

static void gaps(void)
{
	vm_reset();
	CHECK_EQ(vm_gap(BASE, BASE + 64 * PAGE, 64 * PAGE, PAGE), BASE);
	CHECK_EQ(vm_gap(BASE, BASE + 64 * PAGE, 65 * PAGE, PAGE), 0);
	CHECK_EQ(vm_gap(BASE, BASE + 64 * PAGE, 1UL << 63, PAGE), 0);
	CHECK_EQ(vm_gap(BASE, BASE + 1024 * PAGE, PAGE, 1UL << 21), BASE + (1UL << 21));
	vm_insert(BASE + 60 * PAGE, BASE + 70 * PAGE, RW, true);
	CHECK_EQ(vm_gap(BASE, BASE + 64 * PAGE, PAGE, PAGE), BASE + 59 * PAGE);
	vm_insert(BASE - PAGE, BASE + 58 * PAGE, RW, true);
	CHECK_EQ(vm_gap(BASE, BASE + 64 * PAGE, 2 * PAGE, PAGE), BASE + 58 * PAGE);
	CHECK_EQ(vm_gap(BASE, BASE + 64 * PAGE, 3 * PAGE, PAGE), 0);
}

static void full(void)
{
	uint64_t i;

	vm_reset();
	for (i = 0; vm_insert(BASE + 2 * i * PAGE, BASE + (2 * i + 1) * PAGE, RW, true); i++)
		CHECK(i < VM_RANGES);
	CHECK(i > VM_RANGES - 8 && !vm_room());
	CHECK(vm_check() == NULL);
	vm_remove(BASE, BASE + 20 * PAGE);
	CHECK(vm_room());
}

const struct test vm_tests[] = {
	{ "the map against a model", random_operations },
	{ "where programs may be", bounds },
	{ "how far a pointer is good", prefixes },
	{ "gaps", gaps },
	{ "a full map", full },
	{ NULL, NULL },
};
