# SPDX-License-Identifier: BSD-2-Clause
# packages: lua5.4

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
