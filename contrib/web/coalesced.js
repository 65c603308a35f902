// SPDX-License-Identifier: MIT

// A function that does `work`, one at a time. What is asked for while it is under way is done once,
// when it is over, however often it was asked for.
export function coalesced(work) {
	let running = null, again = false;
	const run = async () => {
		try {
			while (again) {
				again = false;
				await work();
			}
		} finally {
			running = null;
		}
	};
	return () => {
		again = true;
		return running ??= run();
	};
}
