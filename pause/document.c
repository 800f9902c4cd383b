/* document.c - see document.h. */
