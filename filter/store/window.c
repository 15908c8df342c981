/*
 * window.c - sliding windows as values.
 */
#include "window.h"

int64_t window_slot_us(int64_t length_us)
{
	return length_us / STORE_SLOTS;
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a <= UINT64_MAX - b ? a + b : UINT64_MAX;
}

static bool number_take(struct slice *rest, uint64_t *number_r)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < WINDOW_NUMBER && i < rest->n; i++) {
		unsigned char c = (unsigned char)rest->p[i];

		number |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c < 0x80) {
			*rest = slice_from(*rest, i + 1);
			*number_r = number;
			return true;
		}
	}
	return false;
}

static char *number_put(char *end, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*end++ = (char)(number | 0x80);
	*end++ = (char)number;
	return end;
}

void window_init(struct window *window, int64_t slot_us, int64_t now)
{
	*window = (struct window){.slot_us = slot_us, .newest = now / slot_us};
}

bool window_add(struct window *window, int64_t slot, int64_t slot_us, uint64_t count)
{
	int64_t age = window->newest - (slot_us == window->slot_us ? slot : slot * slot_us / window->slot_us);

	if (age < -STORE_SLOTS)
		return false;
	if (age >= STORE_SLOTS)
		return true;
	if (age < 0)
		age = 0;
	window->counts[age] = add_capped(window->counts[age], count);
	window->sum = add_capped(window->sum, count);
	return true;
}

static bool slots_read(struct slice rest, int64_t slot, int64_t slot_us, struct window *window)
{
	uint64_t older, count;

	while (rest.n > 0) {
		if (!number_take(&rest, &older) || !number_take(&rest, &count) || older >= STORE_SLOTS ||
		    (int64_t)older > slot)
			return false;
		slot -= (int64_t)older;
		if (!window_add(window, slot, slot_us, count))
			return false;
	}
	return true;
}

bool window_read(struct slice value, int64_t slot_us, int64_t now, struct window *window_r)
{
	uint64_t stored_us, newest;
	bool known = number_take(&value, &stored_us) && number_take(&value, &newest) &&
		     stored_us >= STORE_WINDOW_MIN_US / STORE_SLOTS && stored_us <= STORE_WINDOW_MAX_US / STORE_SLOTS &&
		     newest <= (uint64_t)INT64_MAX / stored_us;

	if (slot_us == 0)
		slot_us = known ? (int64_t)stored_us : window_slot_us(STORE_WINDOW_MIN_US);
	window_init(window_r, slot_us, now);
	if (known && slots_read(value, (int64_t)newest, (int64_t)stored_us, window_r))
		return true;
	window_init(window_r, slot_us, now);
	return false;
}

size_t window_write(const struct window *window, char value_r[WINDOW_BYTES])
{
	char *end = number_put(value_r, (uint64_t)window->slot_us);
	int before = 0;

	end = number_put(end, (uint64_t)window->newest);
	if (window->sum == 0)
		return 0;
	for (int age = 0; age < STORE_SLOTS; age++) {
		if (window->counts[age] == 0)
			continue;
		end = number_put(end, (uint64_t)(age - before));
		end = number_put(end, window->counts[age]);
		before = age;
	}
	return (size_t)(end - value_r);
}

int64_t window_expires(const struct window *window)
{
	int age = 0;

	while (age < STORE_SLOTS && window->counts[age] == 0)
		age++;
	return (window->newest - age + STORE_SLOTS) * window->slot_us;
}

int64_t window_wait(const struct window *window, uint64_t amount, uint64_t hard, int64_t now)
{
	uint64_t left = window->sum;

	if (amount > hard)
		return window->slot_us * STORE_SLOTS;
	if (left <= hard - amount)
		return 0;
	for (int age = STORE_SLOTS - 1; age >= 0; age--) {
		left -= window->counts[age] < left ? window->counts[age] : left;
		if (left <= hard - amount)
			return (window->newest - age + STORE_SLOTS) * window->slot_us - now;
	}
	return window->slot_us * STORE_SLOTS;
}
