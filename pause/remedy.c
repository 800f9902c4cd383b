/* remedy.c - see remedy.h. */
