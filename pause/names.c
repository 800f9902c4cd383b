/* names.c - see names.h. */
