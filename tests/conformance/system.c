/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System V IPC, barriers, confinement, and calls for whoever runs the machine. Those of the last
 * kind are made badly alone, so that nothing happens to the machine, whoever runs this.
 */
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "calls.h"

/* --- Semaphores ------------------------------------------------------------------------------ */

#define SEMAPHORES	3

static int set(void)
{
	static const uint16_t values[SEMAPHORES] = { 1, 2, 300 };
	int id = S(semget, IPC_PRIVATE, SEMAPHORES, 0600);

	S(semctl, id, 0, SETALL, P(values));
	return id;
}

static void end_set(int id)
{
	S(semctl, id, 0, IPC_RMID, 0);
}

void check_semget(void)
{
	int id = set();

	good_any(id);
	end_set(id);
	bad(S(semget, IPC_PRIVATE, -1, 0600));
	bad(S(semget, 0x7ca44e1, 1, 0));
}

static const struct sembuf take[2] = { { 0, -1, IPC_NOWAIT }, { 2, -300, IPC_NOWAIT } };

void check_semop(void)
{
	int id = set();

	good(S(semop, id, P(take), 2));
	good(S(semctl, id, 2, GETVAL));
	bad(S(semop, id, P(take), 2));
	bad(S(semop, id, P(take), 0));
	bad(S(semop, id, BAD, 1));
	end_set(id);
	bad(S(semop, id, P(take), 2));
}

void check_semtimedop(void)
{
	static const struct sembuf wait = { 0, -9, 0 };
	static const long soon[2] = { 0, 1000000 };
	int id = set();

	good(S(semtimedop, id, P(take), 2, 0));
	bad(S(semtimedop, id, P(&wait), 1, P(soon)));
	bad(S(semtimedop, id, P(&wait), 1, BAD));
	end_set(id);
}

void check_semctl(void)
{
	struct semid_ds *ds = (void *)buffer;
	int id = set();

	good(S(semctl, id, 0, GETALL, BUF));
	wrote(buffer, 16);
	good(S(semctl, id, 0, IPC_STAT, BUF));
	good(ds->sem_nsems);
	ds->sem_perm.mode = 0640;
	good(S(semctl, id, 0, IPC_SET, BUF));
	good(S(semctl, id, 1, SETVAL, 77));
	good(S(semctl, id, 1, GETVAL));
	good(S(semctl, id, 1, GETNCNT));
	good(S(semctl, id, 1, GETZCNT));
	good_any(S(semctl, id, 1, GETPID));
	good_any(S(semctl, 0, 0, SEM_INFO, BUF));
	bad(S(semctl, id, 9, GETVAL));
	bad(S(semctl, id, 0, GETALL, BAD));
	bad(S(semctl, id, 0, SETALL, BAD));
	bad(S(semctl, id, 0, IPC_STAT, BAD));
	bad(S(semctl, id, 0, 99));
	end_set(id);
	bad(S(semctl, id, 0, GETALL, BUF));
}

/* --- Messages -------------------------------------------------------------------------------- */

static const struct {
	long type;
	char text[4096];
} message = { 5, "a message" };

static int queue(void)
{
	return S(msgget, IPC_PRIVATE, 0600);
}

static void end_queue(int id)
{
	S(msgctl, id, IPC_RMID, 0);
}

void check_msgget(void)
{
	int id = queue();

	good_any(id);
	end_queue(id);
	bad(S(msgget, 0x7ca44e1, 0));
}

void check_msgsnd(void)
{
	int id = queue();

	good(S(msgsnd, id, P(&message), 9, 0));
	good(S(msgsnd, id, P(&message), sizeof(message.text), 0));
	good(S(msgsnd, id, P(&message), 0, 0));
	bad(S(msgsnd, id, BUF, 9, 0));			/* of type 0 */
	bad(S(msgsnd, id, BAD, 9, 0));
	bad(S(msgsnd, id, P(&message), -1, 0));
	end_queue(id);
	bad(S(msgsnd, id, P(&message), 9, 0));
}

void check_msgrcv(void)
{
	int id = queue();

	S(msgsnd, id, P(&message), 9, 0);
	S(msgsnd, id, P(&message), sizeof(message.text), 0);
	good(S(msgrcv, id, BUF, 100, 0, 0));
	wrote(buffer, 120);
	bad(S(msgrcv, id, BUF, 100, 0, 0));
	good(S(msgrcv, id, BUF, 100, 5, MSG_NOERROR));
	bad(S(msgrcv, id, BUF, 100, 5, IPC_NOWAIT));
	bad(S(msgrcv, id, BUF, -1, 5, 0));
	S(msgsnd, id, P(&message), 9, 0);
	good(S(msgrcv, id, BUF, sizeof(buffer) - 8, 0, 0));
	S(msgsnd, id, P(&message), 9, 0);
	bad(S(msgrcv, id, BAD, 100, 0, 0));
	end_queue(id);
}

void check_msgctl(void)
{
	struct msqid_ds *ds = (void *)buffer;
	int id = queue();

	S(msgsnd, id, P(&message), 9, 0);
	good(S(msgctl, id, IPC_STAT, BUF));
	good(ds->msg_qnum);
	good(S(msgctl, id, IPC_SET, BUF));
	good_any(S(msgctl, 0, MSG_INFO, BUF));
	bad(S(msgctl, id, IPC_STAT, BAD));
	bad(S(msgctl, id, 99, BUF));
	end_queue(id);
	bad(S(msgctl, id, IPC_STAT, BUF));
}

/* --- Barriers, confinement ------------------------------------------------------------------- */

void check_membarrier(void)
{
	good((S(membarrier, 0, 0) & 0x18) == 0x18);
	bad(S(membarrier, 8, 0));			/* before it registered */
	good(S(membarrier, 16, 0));
	good(S(membarrier, 8, 0));
	good(S(membarrier, 8, 0));
	bad(S(membarrier, 8, 99));
	bad(S(membarrier, 1 << 20, 0));
}

CHECK(unshare, S(unshare, 0x400), S(unshare, 1))
CHECK(setns, 0, S(setns, fd, 0))
CHECK(kcmp, S(kcmp, S(getpid), S(getpid), 0, fd, S(dup, fd)), S(kcmp, S(getpid), S(getpid), 0, fd, 99))

void check_landlock_create_ruleset(void)
{
	static const uint64_t reads = 1 << 2;

	good(S(landlock_create_ruleset, 0, 0, 1));
	good_any(S(landlock_create_ruleset, P(&reads), 8, 0));
	bad(S(landlock_create_ruleset, P(&reads), 7, 0));
	bad(S(landlock_create_ruleset, BAD, 8, 0));
}

void check_landlock_add_rule(void)
{
	static const uint64_t reads = 1 << 2;
	struct __attribute__((packed)) { uint64_t access; int32_t fd; } below = { reads, dir };
	int rules = S(landlock_create_ruleset, P(&reads), 8, 0);

	good(S(landlock_add_rule, rules, 1, P(&below), 0));
	bad(S(landlock_add_rule, rules, 1, BAD, 0));
	bad(S(landlock_add_rule, fd, 1, P(&below), 0));
}

CHECK(landlock_restrict_self, 0, S(landlock_restrict_self, fd, 0))
CHECK(process_mrelease, 0, S(process_mrelease, fd, 0))

/* --- For whoever runs the machine ------------------------------------------------------------ */

CHECK(syslog, S(syslog, 10, 0, 0), S(syslog, 3, BUF, -1))
CHECK(acct, 0, S(acct, P("none/none")))
CHECK(mount, 0, S(mount, P("none"), P("none"), P("none"), 0, 0))
CHECK(umount2, 0, S(umount2, P("none"), 0))
CHECK(pivot_root, 0, S(pivot_root, P("none"), P("none")))
CHECK(swapon, 0, S(swapon, P("none"), 0))
CHECK(swapoff, 0, S(swapoff, P("none")))
CHECK(reboot, 0, S(reboot, 1, 2, 3, 0))

/* In a session of its own, without a terminal. */
void check_vhangup(void)
{
	long child = S(fork);
	int status = -1;

	if (child == 0) {
		S(setsid);
		S(exit_group, S(vhangup) ? 8 : 7);
	}
	S(wait4, child, P(&status), 0, 0);
	good(status);
}
