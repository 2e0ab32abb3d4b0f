/* SPDX-License-Identifier: MIT */
/* Real numbers as text with a decimal point, whatever the host's locale. */
#ifndef TGR_BASE_NUMBER_H
#define TGR_BASE_NUMBER_H

/* Always enough for a double as text, its final NUL included. */
#define TGR_NUMBER_BYTES 64

/* Reads a decimal number such as "-1.5e-3" that fills all of `text`; false when it does not. */
int tgr_number_parse(const char *text, double *value);
/* Writes the shortest text from which tgr_number_parse gives the same finite number. */
void tgr_number_write(double value, char text[TGR_NUMBER_BYTES]);

#endif
