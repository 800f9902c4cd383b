/* sentence.c - see sentence.h. */
