/*
 * fault.c - what is wrong with a list, one text for each line.
 */
#include "backend.h"

#include <stdio.h>

void list_fault(struct list_faults *faults, const char *format, ...)
{
	va_list arguments;

	if (faults->count < LIST_FAULTS_MAX) {
		struct error *kept = &faults->texts[faults->count];

		va_start(arguments, format);
		vsnprintf(kept->text, sizeof(kept->text), format, arguments);
		va_end(arguments);
	}
	faults->count++;
}
