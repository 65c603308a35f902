/* SPDX-License-Identifier: MIT */
/*
 * How many times slower than a quick machine this one is: the factor of every bound in the tests.
 *
 * contrib/test measures it once and hands it on as MIMOBOX_TEST_FACTOR, or somebody sets that. A
 * bound is there to end a test that hangs. No test passes or fails by how fast a machine is.
 */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_VARIABLE "MIMOBOX_TEST_FACTOR"

enum { PACE_FACTOR_MAX = 1000 };

/* Times of the same work on each machine, in microseconds. */
struct pace {
	double spawn;    /* fork, exec, exit and wait */
	double exchange; /* a byte to another process and back, as a request of FUSE goes */
	double work;     /* computing for some time slices of the scheduler */
};

/* A decimal number from 1 to PACE_FACTOR_MAX, rounded up. */
bool pace_parse(const char *text, unsigned *factor);
/* Computes, and returns the time that it took. */
double pace_work(void);
/* All three. 0, or a negative errno: there is no other process to be had. */
int pace_measure(struct pace *pace);
/* The worst of the three, as a whole number. */
unsigned pace_factor(const struct pace *pace);

/* The factor of this run, from the environment; 1 where it says nothing. */
unsigned factor(void);
/* A bound, in whatever unit, for this run. */
unsigned scaled(unsigned amount);

#endif
