/* SPDX-License-Identifier: MIT */
/* Hosts by name: what is allowed is reached by all that people use, and nothing else is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "names_case.h"
#include "outside.h"

TestSuite(names, .init = names_start, .fini = names_stop, .timeout = 180);

#define ALLOWED "allow good.test:80,443,7,9,11,19"

static bool has_network(const void *part)
{
	return has(get("a/network", NULL), part);
}

/* What is allowed is there, and needs no variable to be found. */
Test(names, what_is_allowed_is_reached)
{
	char *output = names_probe(
		ANN,
		ALLOWED "\nallow *.wild.test\nallow cname.test\nallow hosts.test\nallow v6.test\n"
			"allow both.test\nallow two.test\nallow big.test\nallow also-good.test",
		"http,good.test http,GOOD.test. https,good.test http,x.wild.test "
		"https,x.wild.test http,y.x.wild.test http,cname.test http,hosts.test http,v6.test "
		"http,both.test http,two.test http,big.test name,good.test configured,good.test "
		"reverse,good.test "
		"echo,good.test echo,good.test,3000000 fetch,http://good.test/hello environment "
		"devices name,localhost listen,127.0.0.1,8080 listen,0.0.0.0,8080 "
		"listen,127.0.0.1,443 listen,::1,80");
	names_expect(output, "http,good.test: hello at good.test\n"
			     "http,GOOD.test.: hello at GOOD.test.\n"
			     "https,good.test: hello at good.test\n"
			     "http,x.wild.test: hello at x.wild.test\n"
			     "https,x.wild.test: hello at x.wild.test\n"
			     "http,y.x.wild.test: hello at y.x.wild.test\n"
			     "http,cname.test: hello at cname.test\n"
			     "http,hosts.test: hello at hosts.test\n"
			     "http,v6.test: hello at v6.test\n"
			     "http,both.test: hello at both.test\n"
			     "http,two.test: hello at two.test\n"
			     "http,big.test: hello at big.test\n"
			     "name,good.test: 198.18\n"
			     "configured,good.test: 198.18\n"
			     "reverse,good.test: good.test\n"
			     "echo,good.test: same\n"
			     "echo,good.test,3000000: same\n"
			     "fetch,http://good.test/hello: hello at good.test\n"
			     "environment: none\n"
			     "devices: lo\n"
			     "listen,127.0.0.1,8080: served\n"
			     "listen,0.0.0.0,8080: served\n"
			     "listen,127.0.0.1,443: served\n"
			     "listen,::1,80: served\n");
	cr_expect(
		await(has_network, "allow good.test:80,443,7,9,11,19 # connections 6 sent ", 20000),
		"%s", get("a/network", NULL));
	cr_expect(has(get("a/status", NULL), "\nnetwork-refused 0\n"));
	session_remove("a");
	cr_expect_str_eq(names_noted("touched"), "");
}

/* The relay listens at 33 ports and more then, which are none of the program's 32. */
Test(names, programs_listen_beside_the_relay)
{
	char *output = names_probe(
		ANN,
		"allow good.test:1,2,3,4,5,6,8,10,12,13,14,15,16,17,18,19\n"
		"allow evil.test:1,2,3,4,5,6,8,10,12,13,14,15,16,17,18,19\n"
		"allow also-good.test:7,9,11",
		"listeners,40,good.test,evil.test,also-good.test echo,also-good.test fast_open");
	names_expect(output, "listeners,40,good.test,evil.test,also-good.test: 32, then ENOBUFS\n"
			     "echo,also-good.test: same\n"
			     "fast_open: ENOTSUP\n");
	session_remove("a");
}

/* By root's sessions, and those that were not built ahead, as well. */
Test(names, root_reaches_it_too)
{
	names_expect(names_probe(ROOT, ALLOWED, "http,good.test http,evil.test"),
		     "http,good.test: hello at good.test\nhttp,evil.test: no name\n");
	session_remove("a");
}

/* At once, and the log says which. */
Test(names, what_is_not_allowed_does_not_exist)
{
	uint64_t begun = now_ms();
	char *output = names_probe(
		ANN, ALLOWED "\nallow *.wild.test\ndeny y.x.wild.test",
		"http,evil.test http,also-good.test http,y.x.wild.test http,nothing.wild.test "
		"http,wild.test http,good.test,8443 http,good.test,81 http,93.184.0.10 "
		"http,93.184.0.20 http,198.18.7.7 neighbour,good.test,1 neighbour,good.test,-1 "
		"http,8.8.8.8 http,10.0.0.5 http,169.254.169.254 http,127.0.0.1,8081 http,::1 "
		"http,::ffff:93.184.0.10 http,2606:2800::10 fetch,http://good.test/to-evil "
		"http,evil.test.good.test http,goodxtest http,good.test");
	names_expect(output, "http,evil.test: no name\n"
			     "http,also-good.test: no name\n"
			     "http,y.x.wild.test: no name\n"
			     "http,nothing.wild.test: no name\n"
			     "http,wild.test: no name\n"
			     "http,good.test,8443: ECONNREFUSED\n"
			     "http,good.test,81: ECONNREFUSED\n"
			     "http,93.184.0.10: ENETUNREACH\n"
			     "http,93.184.0.20: ENETUNREACH\n"
			     "http,198.18.7.7: ECONNREFUSED\n"
			     "neighbour,good.test,1: ECONNREFUSED\n"
			     "neighbour,good.test,-1: ECONNREFUSED\n"
			     "http,8.8.8.8: ENETUNREACH\n"
			     "http,10.0.0.5: ENETUNREACH\n"
			     "http,169.254.169.254: ENETUNREACH\n"
			     "http,127.0.0.1,8081: ECONNREFUSED\n"
			     "http,::1: ECONNREFUSED\n"
			     "http,::ffff:93.184.0.10: ENETUNREACH\n"
			     "http,2606:2800::10: ENETUNREACH\n"
			     "http,evil.test.good.test: no name\n"
			     "http,goodxtest: no name\n"
			     "http,good.test: hello at good.test\n");
	cr_expect(has(output, "fetch,http://good.test/to-evil: url "), "%s", output);
	cr_expect_lt(now_ms() - begun, 10000 * (uint64_t)factor(), "nothing is waited for");
	char *log = get("a/log", NULL);
	cr_expect(has(log, "network refused: evil.test: it is not allowed"), "%s", log);
	cr_expect(has(log, "network refused: y.x.wild.test: it is denied"), "%s", log);
	cr_expect(has(get("a/network", NULL),
		      "deny y.x.wild.test # connections 0 sent 0 received 0 "
		      "refused 2\n"),
		  "%s", get("a/network", NULL));
	session_remove("a");
	cr_expect_str_eq(names_noted("touched"), "");
	/* No server outside hears of it. */
	char *asked = names_noted("asked");
	cr_expect(!has(asked, "evil") && !has(asked, "y.x.wild"), "%s", asked);
	cr_expect(has(asked, "good.test"));
}

/* A name that leads to what is the host's own, however it is said. */
Test(names, a_name_leads_to_nothing_private)
{
	char *output = names_probe(
		ANN, "allow *.test\nallow 10.0.0.5:81",
		"http,private.test http,out.test http,meta.test http,loop.test http,zero.test "
		"http,mapped.test http,six-loop.test http,nat64.test http,mixed.test "
		"http,ring.test "
		"http,empty.test http,fail.test http,nothing.test twice,rebind.test "
		"http,corp.test");
	names_expect(output, "http,out.test: ECONNRESET\n"
			     "http,meta.test: no name\n"
			     "http,loop.test: no name\n"
			     "http,zero.test: no name\n"
			     "http,mapped.test: no name\n"
			     "http,six-loop.test: no name\n"
			     "http,nat64.test: no name\n"
			     "http,mixed.test: hello at mixed.test\n"
			     "http,nothing.test: no name\n");
	cr_expect(has(output, "twice,rebind.test: ECONN") ||
			  has(output, "twice,rebind.test: no name"),
		  "%s", output);
	/* What is allowed itself is allowed at its own ports alone. */
	names_expect(output, "http,private.test: ECONNRESET\nhttp,corp.test: ECONNRESET\n");
	char *log = get("a/log", NULL);
	cr_expect(has(log, "meta.test is at 169.254.169.254, which is not public"), "%s", log);
	cr_expect(has(log, "fail.test: no server of DNS answers"), "%s", log);
	session_remove("a");
	cr_expect_str_eq(names_noted("touched"), "");
}

Test(names, an_address_that_is_allowed_itself)
{
	char *output = names_probe(ANN,
				   "allow 10.0.0.5:80\nallow corp.test\nallow 93.184.0.10:80\n"
				   "allow [2606:2800::10]:80",
				   "http,10.0.0.5 http,corp.test http,93.184.0.10 http,10.0.0.5,81 "
				   "http,2606:2800::10 http,10.0.0.6 http,93.184.0.20");
	names_expect(output, "http,10.0.0.5: lure\n"
			     "http,corp.test: lure\n"
			     "http,93.184.0.10: hello at 93.184.0.10\n"
			     "http,10.0.0.5,81: ECONNREFUSED\n"
			     "http,2606:2800::10: hello at 2606:2800::10\n"
			     "http,10.0.0.6: ENETUNREACH\n"
			     "http,93.184.0.20: ENETUNREACH\n");
	session_remove("a");
	/* The positive control of what is never touched elsewhere. */
	cr_expect_str_eq(names_noted("touched"), "10.0.0.5:80\n10.0.0.5:80\n");
}

/* No other way leads out. */
Test(names, no_way_round)
{
	char name[300] = "question,";
	for (int i = 0; i < 3; i++)
		strcat(name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.");
	strcat(name, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb,1");
	char *output = names_probe(
		ANN, ALLOWED,
		text("udp,93.184.0.1,53 udp,8.8.8.8,53 udp,198.18.0.2,53 udp,127.0.0.1,54 "
		     "raw,AF_INET,SOCK_RAW,1 raw,AF_INET,SOCK_DGRAM,1 raw,AF_INET6,SOCK_RAW,58 "
		     "raw,AF_PACKET,SOCK_RAW,0 raw,AF_NETLINK,SOCK_RAW,16 "
		     "raw,AF_VSOCK,SOCK_STREAM,0 route,93.184.0.10 "
		     "question,secret.evil.test,16 question,good.test,16 question,good.test,65 "
		     "question,good.test,28 question,good.test,1 question,good.test,1,t "
		     "question,good.test,15 question,evil.test,1 question,evil.test,1,t "
		     "question,7.7.18.198.in-addr.arpa,12 question,1.0.0.127.in-addr.arpa,12 "
		     "question,8.8.8.8.in-addr.arpa,12 question,x.localhost,1 %s "
		     "bytes_,00010100000100000000000004676f6f640474657374000001,0003 "
		     "bytes_,000101000001000000000000c00c00010001 "
		     "bytes_,00012800000100000000000004676f6f6404746573740000010001 "
		     "bytes_,00010100000200000000000004676f6f6404746573740000010001 "
		     "bytes_,0001010000010000000000003f61 http,good.test",
		     name));
	names_expect(output,
		     "udp,93.184.0.1,53: ENETUNREACH\n"
		     "udp,8.8.8.8,53: ENETUNREACH\n"
		     "udp,198.18.0.2,53: ECONNREFUSED\n"
		     "udp,127.0.0.1,54: ECONNREFUSED\n"
		     "raw,AF_INET,SOCK_RAW,1: EPROTONOSUPPORT\n"
		     "raw,AF_INET,SOCK_DGRAM,1: EPROTONOSUPPORT\n"
		     "raw,AF_PACKET,SOCK_RAW,0: EAFNOSUPPORT\n"
		     "raw,AF_NETLINK,SOCK_RAW,16: EPROTONOSUPPORT\n"
		     "raw,AF_VSOCK,SOCK_STREAM,0: EAFNOSUPPORT\n"
		     "route,93.184.0.10: EPERM\n"
		     "question,secret.evil.test,16: code 3 answers 0\n"
		     "question,good.test,16: code 0 answers 0\n"
		     "question,good.test,65: code 0 answers 0\n"
		     "question,good.test,28: code 0 answers 0\n"
		     "question,good.test,1: code 0 answers 1\n"
		     "question,good.test,1,t: code 0 answers 1\n"
		     "question,good.test,15: code 0 answers 0\n"
		     "question,evil.test,1: code 3 answers 0\n"
		     "question,evil.test,1,t: code 3 answers 0\n"
		     "question,7.7.18.198.in-addr.arpa,12: code 3 answers 0\n"
		     "question,1.0.0.127.in-addr.arpa,12: code 0 answers 1\n"
		     "question,8.8.8.8.in-addr.arpa,12: code 3 answers 0\n"
		     "question,x.localhost,1: code 0 answers 1\n"
		     "bytes_,00010100000100000000000004676f6f640474657374000001,0003: code 5 "
		     "answers 0\n"
		     "bytes_,000101000001000000000000c00c00010001: code 1 answers 0\n"
		     "bytes_,00012800000100000000000004676f6f6404746573740000010001: code 4 "
		     "answers 0\n"
		     "bytes_,00010100000200000000000004676f6f6404746573740000010001: code 1 "
		     "answers 0\n"
		     "bytes_,0001010000010000000000003f61: code 1 answers 0\n"
		     "http,good.test: hello at good.test\n");
	names_expect(output, text("%s: code 3 answers 0\n", name));
	session_remove("a");
	cr_expect_str_eq(names_noted("touched"), "");
	char *asked = names_noted("asked");
	cr_expect(!has(asked, "secret") && !has(asked, "aaa"), "%s", asked);
}

/* Ends and resets are passed on, and floods are bounded. */
Test(names, connections_end_as_they_end_outside)
{
	char *output = names_probe(ANN, ALLOWED "\nallow dead.test",
				   "reset,good.test give_up,good.test many,good.test,800 "
				   "many,good.test,1500 again,good.test "
				   "flood,3000 http,good.test");
	names_expect(output, "reset,good.test: ECONNRESET\ngive_up,good.test: given up\n"
			     "many,good.test,800: 800, then hello at good.test\n"
			     "many,good.test,1500: 1500, then ECONNRESET\n"
			     "again,good.test: hello at good.test\n"
			     "http,good.test: hello at good.test\n");
	cr_expect(has(names_noted("held"), "reset\n"), "%s", names_noted("held"));
	session_remove("a");
}

/* The name that TLS asks for is told where it is another. */
Test(names, another_name_in_tls_is_told)
{
	char *output = names_probe(ANN, ALLOWED, "https,good.test https,good.test,also-good.test");
	names_expect(output, "https,good.test: hello at good.test\n");
	char *log = get("a/log", NULL);
	cr_expect(has(log, "a connection to good.test:443 asks its server for also-good.test"),
		  "%s", log);
	session_remove("a");
}

/* What waits for it goes on. */
static void go_on(void)
{
	sh("echo > $M/a/workspace/go");
}

static bool is_there(const void *path)
{
	return access(path, F_OK) == 0;
}

static bool has_log(const void *part)
{
	return has(get("a/log", NULL), part);
}

/* Its hosts are those of the session that it is in, and so are its files of them. */
Test(names, a_session_in_anothers_sandbox)
{
	int status;
	session_start_as(ANN, "a", names_config(ALLOWED, "http,good.test wait_for,/workspace/go"));
	char *output = session_run_as(ANN, "b",
				      "in a\nterminal no\nnetwork names\nallow evil.test\n"
				      "publish 80\ncommand /usr/bin/python3 /srv/world/probe.py "
				      "http,good.test http,evil.test listeners,40,good.test 2>&1\n",
				      &status);
	names_expect(output, "http,good.test: hello at good.test\n"
			     "http,evil.test: no name\n"
			     "listeners,40,good.test: 32, then ENOBUFS\n");
	cr_expect(!is_there(at("b/network")) && !is_there(at("b/asks")) &&
		  !is_there(at("b/ports")));
	cr_expect(await(has_network, "allow good.test:80,443,7,9,11,19 # connections 2 ", 20000),
		  "%s", get("a/network", NULL));
	session_remove("b");
	go_on();
	cr_expect_eq(session_exit("a"), 0);
	session_remove("a");
}

/* While it runs: what is denied is cut at once, and what is allowed is there. */
Test(names, the_policy_is_live)
{
	struct stream output;
	act_as(ANN);
	session_start("a", names_config(ALLOWED, "hold,good.test,/workspace/held http,good.test "
						 "wait_for,/workspace/go http,evil.test "
						 "http,good.test"));
	stream_open(&output, "a/output");
	cr_assert(await(is_there, at("a/workspace/held"), 20000));
	put_refused("a/network", "deny bad/host\n", EINVAL);
	put_refused("a/network", "permit evil.test\n", EINVAL);
	put_refused("a/network", "allow 10.0.0.5:80\n", EOPNOTSUPP);
	put_all("a/network", "deny *\n");
	stream_until(&output, "hold,good.test,/workspace/held: ECONNRESET\n");
	stream_until(&output, "http,good.test: no name\n");
	cr_expect(has(get("a/network", NULL), "deny *"), "%s", get("a/network", NULL));
	put_all("a/network", "allow evil.test\n# a comment\n\nallow good.test:22,80\n");
	cr_expect(has(get("a/network", NULL), "allow evil.test:80,443 # "));
	cr_expect(has(get("a/config", NULL), "\nallow evil.test:80,443\nallow good.test:22,80\n"));
	go_on();
	stream_until(&output, "http,evil.test: hello at evil.test\n");
	stream_until(&output, "http,good.test: hello at good.test\n");
	stream_close(&output);
	session_exit("a");
	cr_expect(has(get("a/log", NULL), "network: deny *\n"));
	/* What was read can be written. */
	put_all("a/network", get("a/network", NULL));
	act_as(ROOT);
	session_remove("a");
}

/* Of connections without end none that began after the write is answered. */
Test(names, a_deny_holds_from_its_write_on)
{
	struct stream output;
	struct timespec now;
	act_as(ANN);
	for (int i = 0; i < 10; i++) {
		session_start("a", names_config(ALLOWED, "hammer,good.test,/workspace/hits"));
		stream_open(&output, "a/output");
		cr_assert(await(is_there, at("a/workspace/hits"), 20000));
		put_all("a/network", "deny *\n");
		clock_gettime(CLOCK_MONOTONIC, &now);
		stream_until(&output, "hammer,good.test,/workspace/hits: ECONN");
		stream_close(&output);
		session_exit("a");
		act_as(ROOT);
		long long last = atoll(outside_read(at("a/workspace/hits")));
		act_as(ANN);
		cr_expect_lt(last, now.tv_sec * 1000000000LL + now.tv_nsec);
		session_remove("a");
	}
	act_as(ROOT);
}

static bool asks(const char *name, int fd)
{
	char line[300];
	ssize_t size;
	if (!poll_one(fd, POLLIN, 20000))
		return false;
	size = read(fd, line, sizeof(line) - 1);
	line[size > 0 ? size : 0] = '\0';
	return strcmp(line, text("%s\n", name)) == 0;
}

/* Somebody says so, and the program goes on without another try. */
Test(names, names_that_are_asked_for)
{
	struct stream output;
	act_as(ANN);
	session_start("a", names_config(ALLOWED "\nnetwork-ask 25s",
					"http,evil.test http,also-good.test http,x.wild.test"));
	int fd = open(at("a/asks"), O_RDONLY | O_NONBLOCK);
	stream_open(&output, "a/output");
	cr_assert(asks("evil.test", fd));
	cr_expect(has_log("network asks: evil.test"));
	put_all("a/network", "allow evil.test\n");
	stream_until(&output, "http,evil.test: hello at evil.test\n");
	cr_assert(asks("also-good.test", fd));
	put_all("a/network", "deny also-good.test\n");
	stream_until(&output, "http,also-good.test: no name\n");
	/* One who comes later is told of what waits, and of nothing else. */
	cr_assert(asks("x.wild.test", fd));
	int later = open(at("a/asks"), O_RDONLY | O_NONBLOCK);
	cr_assert(asks("x.wild.test", later));
	put_all("a/network", "deny *\n");
	stream_until(&output, "http,x.wild.test: no name\n");
	session_exit("a");
	cr_expect(poll_one(fd, POLLIN, 20000) & POLLHUP, "the end");
	close(fd);
	close(later);
	stream_close(&output);
	act_as(ROOT);
	session_remove("a");
}

Test(names, no_answer_comes)
{
	uint64_t begun = now_ms();
	char *output = names_probe(ANN, "network-ask 2s", "http,evil.test");
	names_expect(output, "http,evil.test: no name\n");
	cr_expect_geq(now_ms() - begun, 1900);
	cr_expect(has_log("network refused: evil.test: no answer came in time"));
	session_remove("a");
	cr_expect(!has(names_noted("asked"), "evil"));
}

static pid_t relay(void)
{
	return fixture_child(fixture.daemon, "mimobox-relay");
}

/* It is killed: what is open is cut, nothing gets through, and another serves. */
Test(names, another_relay_serves)
{
	struct stream output;
	act_as(ANN);
	session_start("a", names_config(ALLOWED, "hold,good.test,/workspace/held "
						 "wait_for,/workspace/go http,good.test "
						 "http,evil.test"));
	stream_open(&output, "a/output");
	cr_assert(await(is_there, at("a/workspace/held"), 20000));
	act_as(ROOT);
	pid_t before = relay();
	cr_assert(before > 0);
	cr_assert_eq(kill(before, SIGKILL), 0);
	stream_until(&output, "hold,good.test,/workspace/held: ");
	cr_assert(await(has_log, "the relay has ended", 20000));
	go_on();
	stream_until(&output, "http,good.test: hello at good.test\n");
	stream_until(&output, "http,evil.test: no name\n");
	stream_close(&output);
	session_exit("a");
	session_remove("a");
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();
	return now > 0 && now != *(const pid_t *)before;
}

/* Its policy as it was changed, and its counts, are the next server's as well. */
static void check_next_server(void (*end)(pid_t server))
{
	struct stream output;
	pid_t before = fixture_server();
	act_as(ANN);
	session_start("a", names_config(ALLOWED, "http,good.test wait_for,/workspace/go "
						 "http,good.test http,evil.test http,x.wild.test"));
	stream_open(&output, "a/output");
	stream_until(&output, "http,good.test: hello at good.test\n");
	put_all("a/network", "allow evil.test\n");
	cr_assert(await(has_network, "# connections 1 ", 20000));
	act_as(ROOT);
	end(before);
	cr_assert(await(is_another, &before, 20000));
	cr_expect(has_network("allow evil.test:80,443 #"));
	cr_expect(has_network("allow good.test:80,443,7,9,11,19 # connections 1"), "%s",
		  get("a/network", NULL));
	go_on();
	stream_until(&output, "http,good.test: hello at good.test\n");
	stream_until(&output, "http,evil.test: hello at evil.test\n");
	stream_until(&output, "http,x.wild.test: no name\n");
	stream_close(&output);
	session_exit("a");
	session_remove("a");
	fixture.crashed = true;
}

static void kill_server(pid_t server)
{
	cr_assert_eq(kill(server, SIGKILL), 0);
}

Test(names, it_outlives_the_server)
{
	check_next_server(kill_server);
}

static void replace_server(pid_t server)
{
	(void)server;
	sh(text("%s --replace $M", mimoboxfs()));
}

Test(names, it_outlives_an_upgrade)
{
	check_next_server(replace_server);
}

/* Before that it has been told of no session. */
static bool is_ready(const void *pid)
{
	return has(outside_read(text("/proc/%d/status", (int)*(const pid_t *)pid)),
		   "\nSeccomp:\t2\n");
}

/* It has no right that it has no need of, and is of the session's owner. */
Test(names, the_relay_is_confined)
{
	act_as(ANN);
	session_start("a", names_config(ALLOWED, "sleep,30"));
	act_as(ROOT);
	pid_t pid = relay();
	cr_assert(pid > 0 && await(is_ready, &pid, 20000));
	char *status = outside_read(text("/proc/%d/status", (int)pid));
	cr_expect(has(status, text("\nUid:\t%d\t%d\t%d\t%d\n", ANN, ANN, ANN, ANN)), "%s", status);
	cr_expect(has(status, "\nGroups:\t \n"), "%s", status);
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		cr_expect(has(status, text("\n%s:\t0000000000000000\n", sets[i])), "%s", status);
	cr_expect(has(status, "\nNoNewPrivs:\t1\nSeccomp:\t2\n"), "%s", status);
	put_all("a/ctl", "kill\n");
	session_exit("a");
	session_remove("a");
}
