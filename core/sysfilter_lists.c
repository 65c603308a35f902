/* SPDX-License-Identifier: MIT */
/*
 * Which system calls a sandbox may make, group by group, each with its reason.
 *
 * Every call of x86_64 and aarch64 that was known when this was written is in exactly one group;
 * what is not here at all is newer than this file and gets ENOSYS, which makes programs fall back
 * on what they did before there was such a call. A call that is known and refused gets EPERM,
 * which makes them say what they may not do. Names that an architecture lacks are passed over.
 *
 * Arguments are looked at in sysfilter_guard.c: those of clone, ioctl, socket, socketpair, sendto
 * and its kin, listen, setsockopt and getsockopt, personality, setrlimit, prlimit64, mmap, madvise,
 * memfd_create, shmget, prctl, seccomp, ptrace, setpriority and its kin, and of all that takes the
 * mode of a file.
 */
#include "sysfilter_lists.h"

#include <stddef.h>

const struct sysfilter_group sysfilter_groups[] = {
	/* Allowed: what shells, coreutils, Python, Node, Perl, git, gcc, make and vim are made of.
	 */
	{ "bytes in and out of what is open", SYSFILTER_ALLOW,
	  "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek "
	  "close close_range dup dup2 dup3 pipe pipe2 fcntl flock fsync fdatasync "
	  "sync_file_range ftruncate fallocate fadvise64 readahead cachestat sendfile "
	  "copy_file_range splice tee ioctl" },
	{ "waiting for it", SYSFILTER_ALLOW,
	  "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait "
	  "epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create "
	  "timerfd_settime timerfd_gettime inotify_init inotify_init1 inotify_add_watch "
	  "inotify_rm_watch" },
	{ "files by name; Landlock and the mounts say which", SYSFILTER_ALLOW,
	  "open openat creat access faccessat faccessat2 stat lstat fstat newfstatat statx "
	  "statfs fstatfs readlink readlinkat getdents getdents64 getcwd chdir fchdir mkdir "
	  "mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink "
	  "symlinkat truncate chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat "
	  "utime utimes utimensat futimesat umask sync syncfs" },
	{ "fifos and sockets by name: mkfifo is mknod", SYSFILTER_ALLOW, "mknod mknodat" },
	{ "extended attributes: cp -a, ls -l, tar", SYSFILTER_ALLOW,
	  "getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat "
	  "listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr "
	  "removexattrat" },
	/*
	 * Pages that are both writable and executable are allowed, by mmap and by mprotect alike:
	 * the JITs of Node, Java, PyPy and LuaJIT need them, and refusing protects nothing here. A
	 * program that may execute files it wrote itself can run any code without them.
	 */
	{ "memory of its own", SYSFILTER_ALLOW,
	  "mmap munmap mremap mprotect pkey_mprotect pkey_alloc pkey_free brk madvise msync "
	  "mincore mlock mlock2 munlock mlockall munlockall mseal map_shadow_stack "
	  "memfd_create" },
	{ "new processes", SYSFILTER_ALLOW_FORK, "fork vfork" },
	{ "threads and new programs; clone is also how processes are made", SYSFILTER_ALLOW,
	  "clone execve execveat exit exit_group wait4 waitid set_tid_address set_robust_list "
	  "get_robust_list rseq futex futex_waitv futex_wait futex_wake futex_requeue "
	  "membarrier" },
	{ "signals; their reach is bounded by the PID namespace and by Landlock", SYSFILTER_ALLOW,
	  "kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending "
	  "rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack pause "
	  "restart_syscall pidfd_open pidfd_send_signal" },
	{ "who one is: job control, and ids to read", SYSFILTER_ALLOW,
	  "getpid getppid gettid getpgrp getpgid setpgid getsid setsid getuid geteuid getgid "
	  "getegid getresuid getresgid getgroups capget" },
	/*
	 * Without a capability the kernel sets no id but to what another of the process's ids is,
	 * which changes nothing here; and make starts its children with POSIX_SPAWN_RESETIDS. Nor
	 * does it add a capability: programs that give up what they do not have must not fail.
	 */
	{ "setting ids and capabilities to what they are: seteuid, posix_spawn, zygotes",
	  SYSFILTER_ALLOW,
	  "setreuid setregid setresuid setresgid setuid setgid setfsuid setfsgid setgroups "
	  "capset" },
	/* Real-time policies and higher classes take capabilities; see also sysfilter_guard.c. */
	{ "taking a lower place: chrt, ionice; and where one's memory is", SYSFILTER_ALLOW,
	  "sched_setscheduler sched_setparam ioprio_set get_mempolicy" },
	/* Every option of prctl that reaches beyond the caller needs a capability it hasn't got. */
	{ "settings of the calling process", SYSFILTER_ALLOW,
	  "prctl arch_prctl personality getrlimit setrlimit prlimit64 getrusage times "
	  "getpriority setpriority ioprio_get sched_yield sched_getaffinity sched_setaffinity "
	  "sched_getattr sched_getparam sched_getscheduler sched_get_priority_max "
	  "sched_get_priority_min sched_rr_get_interval" },
	{ "clocks and timers, to read and to wait for", SYSFILTER_ALLOW,
	  "time gettimeofday clock_gettime clock_getres nanosleep clock_nanosleep alarm "
	  "getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun "
	  "timer_delete" },
	{ "facts about the machine", SYSFILTER_ALLOW, "uname sysinfo getcpu getrandom" },
	{ "sockets; which families is said by arguments", SYSFILTER_ALLOW,
	  "socket socketpair connect accept accept4 bind listen shutdown sendto sendmsg "
	  "sendmmsg recvfrom recvmsg recvmmsg getsockname getpeername setsockopt getsockopt" },
	/* From anywhere but the code that the kernel put there they end the caller. */
	{ "what the kernel itself has a program call that somebody outside traces", SYSFILTER_ALLOW,
	  "uretprobe uprobe" },
	{ "a sandbox within: these only ever take rights away; filters of one's own take compat",
	  SYSFILTER_ALLOW,
	  "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self" },

	/* Allowed in compat: more of the kernel to attack, and ordinary programs do without. */
	{ "System V IPC, in an IPC namespace of its own: PostgreSQL, fakeroot",
	  SYSFILTER_ALLOW_COMPAT,
	  "shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv "
	  "msgctl" },
	{ "placement of one's own memory and threads: numactl, OpenMP, JVMs",
	  SYSFILTER_ALLOW_COMPAT, "mbind set_mempolicy set_mempolicy_home_node sched_setattr" },
	{ "odds and ends of old programs", SYSFILTER_ALLOW_COMPAT,
	  "remap_file_pages ustat sysfs name_to_handle_at" },

	/*
	 * Their reach is that of ptrace(2): processes of the same Landlock domain, and init is in
	 * none, nor can it be traced by anybody without a capability, since it is not dumpable.
	 * What a traced process is made to call passes its filter (Linux 4.8).
	 */
	{ "other processes' memory and registers: gdb, strace, the leak check of sanitizers",
	  SYSFILTER_ALLOW_PTRACE, "ptrace process_vm_readv process_vm_writev" },

	/* Refused in every profile. */
	{ "mounts: the tree of files is the sandbox's wall", SYSFILTER_REFUSE,
	  "mount umount2 pivot_root chroot open_tree open_tree_attr move_mount fsopen fsconfig "
	  "fsmount fspick mount_setattr" },
	{ "namespaces: a new user namespace gives every capability in it, and with them the "
	  "parts of the kernel where most of its holes are",
	  SYSFILTER_REFUSE, "unshare setns" },
	{ "other processes' descriptors and pages, which debuggers do without", SYSFILTER_REFUSE,
	  "process_madvise process_mrelease pidfd_getfd kcmp move_pages migrate_pages" },
	{ "machines within the kernel, and what exploits of its races lean on", SYSFILTER_REFUSE,
	  "bpf perf_event_open userfaultfd vmsplice modify_ldt memfd_secret" },
	{ "keyrings, which no namespace divides (CVE-2016-0728)", SYSFILTER_REFUSE,
	  "keyctl add_key request_key" },
	{ "files by handle, past every path (the way out of early Docker), and watching all "
	  "of them",
	  SYSFILTER_REFUSE, "open_by_handle_at fanotify_init fanotify_mark" },
	{ "the running kernel", SYSFILTER_REFUSE,
	  "kexec_load kexec_file_load init_module finit_module delete_module reboot syslog "
	  "iopl ioperm" },
	{ "the machine's clock, name, disks and accounts", SYSFILTER_REFUSE,
	  "settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname swapon "
	  "swapoff quotactl quotactl_fd acct vhangup" },

	/* ENOSYS in every profile. */
	{ "its flags are in memory, where no filter can look; the C library falls back on "
	  "clone",
	  SYSFILTER_ABSENT, "clone3" },
	{ "its mode is in memory; programs fall back on openat", SYSFILTER_ABSENT, "openat2" },
	{ "requests through it pass no filter, and much of the kernel is behind it",
	  SYSFILTER_ABSENT, "io_uring_setup io_uring_enter io_uring_register" },
	{ "the old asynchronous I/O: fs.aio-max-nr is one number for the machine, and no limit of "
	  "a "
	  "session bounds its part; programs with libaio fall back on threads",
	  SYSFILTER_ABSENT, "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents" },
	{ "POSIX message queues: Landlock refuses to open them, since no rule can name the "
	  "kernel's own mount that they are on; programs fall back on pipes and sockets",
	  SYSFILTER_ABSENT,
	  "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr" },
	{ "new, and nothing needs them yet", SYSFILTER_ABSENT,
	  "statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules "
	  "file_getattr file_setattr" },
	{ "not in today's kernels", SYSFILTER_ABSENT,
	  "uselib _sysctl create_module get_kernel_syms query_module nfsservctl getpmsg "
	  "putpmsg afs_syscall tuxcall security set_thread_area get_thread_area lookup_dcookie "
	  "epoll_ctl_old epoll_wait_old vserver" },
	{ NULL, SYSFILTER_ABSENT, NULL },
};

/* Of one architecture: another has no such call. */
#ifdef __x86_64__
#define X86_64(number) number
#else
#define X86_64(number) (-(number))
#endif

const struct sysfilter_number sysfilter_newer[] = {
	{ "uretprobe", X86_64(335) }, { "uprobe", X86_64(336) },
	{ "futex_waitv", 449 },       { "set_mempolicy_home_node", 450 },
	{ "cachestat", 451 },         { "fchmodat2", 452 },
	{ "map_shadow_stack", 453 },  { "futex_wake", 454 },
	{ "futex_wait", 455 },        { "futex_requeue", 456 },
	{ "statmount", 457 },         { "listmount", 458 },
	{ "lsm_get_self_attr", 459 }, { "lsm_set_self_attr", 460 },
	{ "lsm_list_modules", 461 },  { "mseal", 462 },
	{ "setxattrat", 463 },        { "getxattrat", 464 },
	{ "listxattrat", 465 },       { "removexattrat", 466 },
	{ "open_tree_attr", 467 },    { "file_getattr", 468 },
	{ "file_setattr", 469 },      { NULL, 0 },
};
