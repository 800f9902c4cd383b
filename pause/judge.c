/* judge.c - see judge.h. */
