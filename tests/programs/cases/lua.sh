# SPDX-License-Identifier: BSD-2-Clause
# packages: lua5.4 luajit

t_language()
{
	$P lua5.4 - one two <<-'END'
		local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
		print(_VERSION, #arg, arg[2], fib(20))
		local words = {}
		for w in ("the quick brown fox jumps"):gmatch("%a+") do words[#words + 1] = w:upper() end
		table.sort(words)
		print(table.concat(words, ","))
		local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)
		print(co(), co(), co())
		print(select(2, pcall(error, { code = 7 })).code)
		print(string.format("%5.2f %q %x", math.pi, "a\nb", 255), 7 // 2, 2 ^ 53, 1 << 62)
		local t = setmetatable({}, { __index = function(_, k) return k .. "!" end })
		print(t.hello)
		for i = 1, 200 do local garbage = {} for j = 1, 500 do garbage[j] = { j } end end
		collectgarbage()
		print(collectgarbage("count") < 1000)
	END
}

t_files_and_commands()
{
	$P lua5.4 -e '
		local f = assert(io.open("file", "w"))
		for i = 1, 1000 do f:write(i, "\n") end
		f:close()
		local sum = 0
		for line in io.lines("file") do sum = sum + tonumber(line) end
		print(sum)
		print(io.open("none"))
		local p = io.popen("busybox tail -n 1 file")
		print(p:read("a"))
		print(p:close())
		print(os.execute("exit 3"))
		print(os.rename("file", "other"), os.remove("other"))
		os.exit(5)' || echo "status $?"
}

# Machine code made while it runs.
t_compiled()
{
	$P luajit -e '
		local ffi = require("ffi")
		ffi.cdef("int getppid(void); unsigned sleep(unsigned);")
		local sum, parent = 0, ffi.C.getppid()
		for i = 1, 3000000 do sum = (sum + i * 7) % 1000003 end
		for i = 1, 300 do assert(ffi.C.getppid() == parent) end
		local function sieve(n)
			local composite, count = ffi.new("uint8_t[?]", n + 1), 0
			for i = 2, n do
				if composite[i] == 0 then
					count = count + 1
					for j = i * i, n, i do composite[j] = 1 end
				end
			end
			return count
		end
		print(jit.status())
		print(sum, sieve(200000))'
}
