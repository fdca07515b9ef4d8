# SPDX-License-Identifier: BSD-2-Clause
# packages: python3

# A GiB, each page written and read, in a guest of two.
t_gibibyte() # now and then
{
	${P:+hvreg run --memory 1200 --} python3 -c '
size = 1 << 30
heap = bytearray(size)
view = memoryview(heap)
for at in range(0, size, 4096):
	view[at] = (at >> 12) & 255
print(sum(view[0:size:4096]), len(heap))
view.release()
del heap
print(len(bytearray(1 << 28)))'
}

# What whoever starts it may have as root, it may have as another user too.
t_after_setuid()
{
	ulimit -l 64
	$P python3 -c '
import os
os.setgid(65534)
os.setuid(65534)
kept = [bytes([65 + n]) * (16 << 20) for n in range(4)]
if os.fork() == 0:
	heap = bytearray(kept[3])
	heap[::4096] = bytes(len(heap) >> 12)
	print(os.getuid(), heap.count(0), flush=True)
	os._exit(0)
print(os.wait()[1], [each[-1] for each in kept])'
}

# More than the process may have, or than there is: an error, and life goes on.
t_none_left()
{
	${P:+hvreg run --memory 200 --} python3 -c '
import resource
if not "'"$P"'":
	resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
kept = []
try:
	while True:
		kept.append(bytearray(32 << 20))
		for at in range(0, 32 << 20, 4096):
			kept[-1][at] = 1
except MemoryError:
	print("no memory", len(kept) > 0)
kept.clear()
print(len(bytearray(32 << 20)))'
}
