# SPDX-License-Identifier: BSD-2-Clause
# packages: python3

# A GiB, each page written and read, in a guest of two.
t_gibibyte()
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
