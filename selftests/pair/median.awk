# SPDX-License-Identifier: GPL-2.0
#
# For the tables of what two guests measure, which have values[KEY] as words.

function median_of(key,    count, i, j, t, v) {
	count = split(values[key], v, " ")
	for (i = 2; i <= count; i++)
		for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) {
			t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
		}
	return count % 2 ? v[(count + 1) / 2] : (v[count / 2] + v[count / 2 + 1]) / 2
}
