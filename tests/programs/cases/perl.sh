# SPDX-License-Identifier: BSD-2-Clause
# packages: perl

t_language()
{
	$P perl -Mstrict -w - <<-'END'
		my %count;
		$count{$_}++ for split //, "the quick brown fox jumps over the lazy dog";
		print join(",", map { "$_$count{$_}" } sort keys %count), "\n";
		my $text = join "", map { chr(97 + $_ % 26) } 0 .. 9999;
		my $n = () = $text =~ /[aeiou]/g;
		printf "%d %.3f %s\n", $n, atan2(1, 1) * 4, unpack("H*", pack("NnC", 1, 2, 3));
		(my $copy = "Hello World") =~ tr/a-zA-Z/n-za-mN-ZA-M/;
		print "$copy\n", scalar reverse("abc"), "\n";
		eval { die { code => 5 } };
		print "died $@->{code}\n";
		local $SIG{ALRM} = sub { print "alarm\n" };
		alarm 1;
		select undef, undef, undef, 5;
	END
}

t_modules()
{
	$P perl -MDigest::SHA=sha256_hex -MMIME::Base64 -MList::Util=sum -MPOSIX=floor -MData::Dumper -e '
		print sha256_hex("x" x 100000), "\n", encode_base64("binary\0data");
		print sum(1 .. 100), " ", floor(-1.5), "\n";
		$Data::Dumper::Sortkeys = $Data::Dumper::Indent = 1;
		print Dumper({ a => [1, 2], b => undef });'
}

t_fork_and_pipes()
{
	$P perl -e '
		$| = 1;
		for my $i (1 .. 3) {
			my $pid = fork // die;
			exit $i unless $pid;
			waitpid $pid, 0;
			print "child $i: ", $? >> 8, "\n";
		}
		open my $p, "-|", "busybox seq 5" or die;
		print "read $_" while <$p>;
		close $p;
		open $p, "|-", "busybox tr a-z A-Z" or die;
		print $p "written\n";
		close $p;
		print `busybox echo backquotes`;
		system "exit 6;"; print $? >> 8, "\n";
		exec "busybox", "echo", "exec" or die;'
}
