// SPDX-License-Identifier: MIT

// Text of a session's for a page: controls, and format characters such as those that turn the
// direction of writing, become question marks.
export const visible = text => text?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
