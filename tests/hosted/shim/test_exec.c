/* SPDX-License-Identifier: BSD-2-Clause */
/* What exec hands over, and to whom, with a host that lies. */
#include "guest-abi/shim/emulate.h"
#include "guest-abi/shim/processes/handover.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/memory/memory.h"
#include "guest-abi/shim/processes/seal.h"
#include "make_elf.h"
#include "test.h"

#define FILE_FD		9
#define ROOM		300000

static uint8_t file[ROOM], passed[32];
static uint64_t file_size, passes, closed, most, change_at;
static char *changing;
static int64_t lie;

static int64_t pass(uint64_t number, uint64_t words[4])
{
	CHECK_EQ(number, CARREL_HC_PASS);
	memcpy(passed, words, sizeof(passed));
	words[0] = 0x1111;
	words[1] = 0x2222;
	passes++;
	return 0;
}

static int64_t host(const struct ocall *c, uint64_t *flags)
{
	uint64_t n = c->arg[2] < most ? c->arg[2] : most;

	(void)flags;
	switch (c->number) {
	case SYS_memfd_create:
		CHECK(!strcmp((char *)c->arg[0], "carrel-exec"));
		if (changing)		/* another thread of the program's, between the two walks */
			changing[change_at] = 'X';
		return lie ? lie : FILE_FD;
	case SYS_pwrite64:
		CHECK_EQ(c->arg[0], FILE_FD);
		CHECK(in_channel(c->arg[1], c->arg[2]) && c->arg[3] + n <= ROOM);
		if (lie)
			return c->arg[2] + 1;
		memcpy(file + c->arg[3], (void *)c->arg[1], n);
		if (c->arg[3] + n > file_size)
			file_size = c->arg[3] + n;
		return n;
	case SYS_close:
		closed++;
		return 0;
	default:
		CHECK(false);
		return 0;
	}
}

static char *text(const char *s)
{
	return strcpy((char *)program_block(strlen(s) + 1, CARREL_R), s);
}

static uint64_t array(char *a, char *b, char *c)
{
	char *all[] = { a, b, c, NULL };

	return (uint64_t)memcpy(program_block(sizeof(all), CARREL_R), all, sizeof(all));
}

static struct thread *begin(struct handover *h)
{
	struct thread *t = fake_reset(2, 16);

	fake.host = host;
	fake.words = pass;
	file_size = passes = closed = 0;
	most = UINT64_MAX;
	lie = 0;
	changing = NULL;
	memset(file, 0, sizeof(file));
	*h = (struct handover){
		.path = "/bin/it", .first = "one\0two", .first_count = 2, .skip = 1,
		.argv = array(text("gone"), text("three"), text("")),
		.envp = array(text("A=1"), text("B=secret"), NULL),
	};
	return t;
}

/* As the carrier and the successor take it apart. */
static void check_file(uint32_t argc, uint32_t envc, const void *strings, size_t size)
{
	struct carrel_exec *e = (struct carrel_exec *)file;
	uint8_t *at = file + sizeof(*e) + e->manifest_size;
	struct carrel_start start;
	struct seal seal;

	CHECK_EQ(e->magic, CARREL_EXEC_MAGIC);
	CHECK_EQ(e->manifest_size, fake_manifest()->size);
	CHECK(!memcmp(e + 1, fake_manifest(), e->manifest_size));
	CHECK_EQ(e->limit, 64);
	CHECK_EQ(e->flags, 1);
	CHECK_EQ(e->start_size, sizeof(start) + size);
	CHECK_EQ(file_size, sizeof(*e) + e->manifest_size + e->start_size);
	memcpy(&start, at, sizeof(start));
	CHECK_EQ(start.size, e->start_size);
	CHECK_EQ(start.argc, argc);
	CHECK_EQ(start.envc, envc);
	CHECK(start.ticket[0] == 0x1111 && start.ticket[1] == 0x2222);
	CHECK(!memmem(file, file_size, "secret", 6));
	seal_begin(&seal, passed, &start);
	seal_decrypt(&seal, at + sizeof(start), size);
	CHECK(seal_good(&seal, start.tag));
	CHECK(!memcmp(at + sizeof(start), strings, size));
}

static void sealed(void)
{
	static const char strings[] = "/bin/it\0one\0two\0three\0\0A=1\0B=secret";
	static const uint64_t pieces[] = { UINT64_MAX, 1000, 1 };
	struct handover h;

	for (int i = 0; i < 3; i++) {
		struct thread *t = begin(&h);

		most = pieces[i];
		CHECK_EQ(handover_seal(t, &h), FILE_FD);
		check_file(4, 2, strings, sizeof(strings));
		CHECK_EQ(passes, 1);
	}
}

/* More than a slot holds, so that it goes out in several writes. */
static void long_strings(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	uint64_t size = 100000;
	char *big = (char *)program_block(size, CARREL_R), *wanted = malloc(size + 64), *at = wanted;

	memset(big, 'b', size);
	big[size - 1] = 0;
	h.argv = array(big, NULL, NULL);
	h.skip = h.first_count = 0;
	h.envp = 0;
	at = (char *)memcpy(at, "/bin/it", 8) + 8;
	memcpy(at, big, size);
	CHECK_EQ(handover_seal(t, &h), FILE_FD);
	check_file(1, 0, wanted, 8 + size);
	free(wanted);
}

/* A changed byte anywhere before the claims is noticed. */
static void tampered(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	struct carrel_exec *e = (struct carrel_exec *)file;
	struct carrel_start *start;

	CHECK_EQ(handover_seal(t, &h), FILE_FD);
	start = (struct carrel_start *)(file + sizeof(*e) + e->manifest_size);
	for (uint64_t i = 0; i < start->size; i++) {
		static uint8_t copy[4096];
		struct carrel_start *s = memcpy(copy, start, start->size);
		struct seal seal;
		bool claim = i >= offsetof(struct carrel_start, uid) && i < sizeof(*s);

		copy[i] ^= 0x10;
		seal_begin(&seal, passed, s);
		seal_decrypt(&seal, s + 1, start->size - sizeof(*s));
		CHECK_EQ(seal_good(&seal, s->tag), claim);
	}
}

static void bad_strings(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	char *big;

	h.argv = NOWHERE;
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	h.argv = array(text("gone"), (char *)NOWHERE, NULL);
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	h.argv = array(text("gone"), (char *)program_block(5, CARREL_R), NULL);	/* no NUL */
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	big = (char *)program_block(131073, CARREL_R);
	big[131072] = 0;
	h.argv = array(text("gone"), big, NULL);
	CHECK_EQ(handover_seal(t, &h), -LINUX_E2BIG);
	CHECK_EQ(fake.ocalls, 0);
	CHECK_EQ(passes, 0);
}

/* Strings that grow or shrink between the walks do not fit the header, and go nowhere. */
static void changed_strings(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	char *s = (char *)program_block(8, CARREL_R);

	memcpy(s, "ab\0cdef", 8);
	h.argv = array(text("gone"), s, NULL);
	changing = s;
	change_at = 2;
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	CHECK_EQ(closed, 1);
}

static void lies(void)
{
	struct handover h;
	struct thread *t = begin(&h);

	lie = -LINUX_EMFILE;
	CHECK_EQ(handover_seal(t, &h), -LINUX_EMFILE);
	t = begin(&h);
	lie = FILE_FD;
	CHECK_DIES(CARREL_DIE_IAGO, handover_seal(t, &h));
}

/* --- What may run, where the kernel answers each question as it likes ----------------------- */

#define TOOL		"/usr/bin/tool"
#define PYTHON		"/usr/bin/python3"
#define GENUINE		"#!" PYTHON " -I\nprint('genuine!')\n"
#define EVIL		"#!" PYTHON " -cCODE\n#ing('genui')\n"	/* of the same size */
#define PLAIN		"of no kind that runs, but it is as long."
#define PROGRAM_FD	20
#define ASKED_FD	21
_Static_assert(sizeof(EVIL) == sizeof(GENUINE) && sizeof(PLAIN) == sizeof(GENUINE), "sizes");

static struct made program;
static const void *usual, *other;	/* what a reading of the file gives: the other at bits */
static uint64_t usual_size, others, asked_reads, opens;
static int64_t open_answer, exec_answer;
static const char *link_text;

static int64_t read_answer(const struct ocall *c)
{
	bool asked = c->arg[0] == ASKED_FD, lies;
	const uint8_t *from;
	uint64_t size, n;

	asked_reads += asked && !c->arg[3];
	lies = others >> ((asked_reads - 1) & 63) & 1;
	from = !asked ? program.bytes : lies ? other : usual;
	size = !asked || from == program.bytes ? program.size : usual_size;
	n = c->arg[3] < size ? size - c->arg[3] : 0;

	CHECK(in_channel(c->arg[1], c->arg[2]));
	n = n < c->arg[2] ? n : c->arg[2];
	memcpy((void *)c->arg[1], from + c->arg[3], n);
	return n;
}

static int64_t lookup(const struct ocall *c, uint64_t *flags)
{
	uint64_t stat[18] = { 1, 2, 1, 0100755 };

	switch (c->number) {
	case SYS_openat:
		opens++;
		return strcmp((char *)c->arg[1], PYTHON) ? open_answer : PROGRAM_FD;
	case SYS_fstat:
		stat[6] = c->arg[0] == PROGRAM_FD || usual == program.bytes ? program.size : usual_size;
		memcpy((void *)c->arg[1], stat, sizeof(stat));
		return 0;
	case SYS_pread64:
		return read_answer(c);
	case SYS_readlink:
		return strlen(strcpy((char *)c->arg[1], link_text));
	case SYS_execve:
		return exec_answer;
	case SYS_faccessat2:
	case SYS_geteuid:
	case SYS_fcntl:
	case SYS_close:
		return 0;
	default:
		return host(c, flags);
	}
}

/* The program asks for `path`, and the manifest has a script and its interpreter. */
static struct thread *ask(const void *gives)
{
	struct handover h;
	struct thread *t = begin(&h);

	fake.host = lookup;
	fake.memory = true;
	memory_setup(&(struct memory_layout){ .brk_start = 0x188000000000, .map_high = 0x7eff00000000 });
	make_elf(&program);
	fake_list(CARREL_ENTRY_PROGRAM, PYTHON, program.bytes, program.size);
	fake_list(CARREL_ENTRY_FILE, TOOL, (uint8_t *)GENUINE, sizeof(GENUINE) - 1);
	usual = other = gives;
	usual_size = sizeof(GENUINE) - 1;
	others = asked_reads = opens = 0;
	open_answer = ASKED_FD;
	exec_answer = -LINUX_EAGAIN;
	link_text = PYTHON;
	return t;
}

static int64_t run(struct thread *t, const char *path)
{
	const uint64_t arg[6] = {
		(uint64_t)text(path), array(text("gone"), text("arg"), NULL), array(NULL, NULL, NULL),
	};

	return call_execve(t, arg);
}

/* The successor was given these strings, and no others. */
static void check_handed(const char *strings, size_t size)
{
	struct carrel_exec *e = (struct carrel_exec *)file;
	struct carrel_start *start = (struct carrel_start *)(file + sizeof(*e) + e->manifest_size);
	struct seal seal;

	CHECK_EQ(passes, 1);
	CHECK_EQ(start->size, sizeof(*start) + size);
	seal_begin(&seal, passed, start);
	seal_decrypt(&seal, start + 1, size);
	CHECK(seal_good(&seal, start->tag));
	CHECK(!memcmp(start + 1, strings, size));
}

static const char genuine[] = PYTHON "\0" PYTHON "\0-I\0" TOOL "\0arg";

static void listed_script(void)
{
	struct thread *t = ask(GENUINE);

	CHECK_EQ(run(t, TOOL), -LINUX_EAGAIN);
	check_handed(genuine, sizeof(genuine));
	CHECK_EQ(opens, 2);
}

/* Whichever reads are answered with another line: it is not followed. */
static void another_line(void)
{
	for (unsigned int lies = 0; lies < 16; lies++) {
		struct thread *t = ask(GENUINE);
		int64_t error;

		other = EVIL;
		others = lies;
		error = run(t, TOOL);
		CHECK(error == -LINUX_EAGAIN || error == -LINUX_EACCES);
		if (error == -LINUX_EAGAIN)
			check_handed(genuine, sizeof(genuine));
		else
			CHECK_EQ(passes, 0);
		CHECK(error == -LINUX_EACCES || !(lies & 2));
	}
}

/* By a name that is not listed, its interpreter must not ask the kernel for it. */
static void unlisted_names(void)
{
	static const char *const names[] = { "/usr/local/bin/tool", "tool", "./tool", "/proc/self/fd/5" };
	static const char chosen[] = PYTHON "\0" PYTHON "\0-cCODE\0/x\0arg";
	struct thread *t;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		t = ask(GENUINE);
		CHECK_EQ(run(t, names[i]), -LINUX_EAGAIN);
		check_handed(genuine, sizeof(genuine));
	}
	t = ask(GENUINE);
	CHECK_EQ(call_execveat(t, (uint64_t[6]){ 5, (uint64_t)text(""),
						 array(text("gone"), text("arg"), NULL), 0, 0x1000 }),
		 -LINUX_EAGAIN);
	check_handed(genuine, sizeof(genuine));
	t = ask(EVIL);
	CHECK_EQ(run(t, names[0]), -LINUX_EACCES);
	/* the name of another file of the manifest */
	t = ask(GENUINE);
	fake_list(CARREL_ENTRY_FILE, "/usr/bin/other", (uint8_t *)EVIL, sizeof(EVIL) - 1);
	CHECK_EQ(run(t, "/usr/bin/other"), -LINUX_EACCES);
	CHECK_EQ(passes, 0);
	/* where the host chooses, the name is what was asked for */
	t = ask(EVIL);
	fake_manifest()->host_chosen |= CARREL_HOST_CODE;
	CHECK_EQ(run(t, "/x"), -LINUX_EAGAIN);
	check_handed(chosen, sizeof(chosen));
}

/* One interprets the other: of both the line that was hashed, and a name that is listed. */
static void interpreted_interpreter(void)
{
	static const char wanted[] = PYTHON "\0" PYTHON "\0-I\0" TOOL "\0-x\0/usr/bin/outer\0arg";
	static const char outer[] = "#!" TOOL " -x\nas long as genuine..\n";
	struct thread *t = ask(outer);

	usual_size = sizeof(GENUINE) - 1;
	CHECK_EQ(sizeof(outer), sizeof(GENUINE));
	fake_list(CARREL_ENTRY_FILE, "/usr/bin/outer", (uint8_t *)outer, sizeof(outer) - 1);
	other = GENUINE;		/* from the third read on it is the inner one */
	others = ~3UL;
	CHECK_EQ(run(t, "outer"), -LINUX_EAGAIN);
	check_handed(wanted, sizeof(wanted));
}

/* The kernel denies that it is a script, and says what its name leads to. */
static void denied_script(void)
{
	struct thread *t = ask(program.bytes);

	CHECK_EQ(run(t, TOOL), -LINUX_EACCES);
	CHECK_EQ(passes, 0);
	/* nor is a program one */
	t = ask(GENUINE);
	fake_list(CARREL_ENTRY_PROGRAM, "/bin/listed", (uint8_t *)PLAIN, sizeof(PLAIN) - 1);
	other = PLAIN;
	others = ~1UL;
	CHECK_EQ(run(t, "/bin/listed"), -LINUX_EACCES);
	CHECK_EQ(passes, 0);
}

/* ENOEXEC would have execvp and shells read the file as commands. */
static void no_commands(void)
{
	struct thread *t = ask(PLAIN);

	CHECK_EQ(run(t, "/usr/local/bin/tool"), -LINUX_EACCES);
	CHECK_EQ(fake.noted[0], CARREL_NOTE_EXEC);
	t = ask(GENUINE);
	open_answer = -LINUX_ENOEXEC;
	CHECK_EQ(run(t, TOOL), -LINUX_EACCES);
	t = ask(GENUINE);
	exec_answer = -LINUX_ENOEXEC;
	CHECK_EQ(run(t, TOOL), -LINUX_EACCES);
	t = ask(GENUINE);
	exec_answer = -LINUX_ENOEXEC;
	fake_list(CARREL_ENTRY_OPEN, "/usr/bin/less", NULL, 0);
	CHECK_EQ(run(t, "/usr/bin/less"), -LINUX_EACCES);
	t = ask(PLAIN);
	fake_manifest()->host_chosen |= CARREL_HOST_CODE;
	CHECK_EQ(run(t, "/x"), -LINUX_ENOEXEC);
}

const struct test exec_tests[] = {
	{ "exec: what is handed over, whole and sealed", sealed },
	{ "exec: long strings", long_strings },
	{ "exec: every byte that is sealed counts", tampered },
	{ "exec: strings that are not there, or too long", bad_strings },
	{ "exec: strings that change meanwhile", changed_strings },
	{ "exec: a host that lies about the file", lies },
	{ "exec: a script that is listed", listed_script },
	{ "exec: a script that is not read twice", another_line },
	{ "exec: a script by a name that is not listed", unlisted_names },
	{ "exec: a script that interprets a script", interpreted_interpreter },
	{ "exec: a script that the kernel denies", denied_script },
	{ "exec: no commands from the kernel", no_commands },
	{ NULL, NULL },
};
