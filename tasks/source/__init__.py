"""Where rows come from: a folder in the publishers' layout, or the hub. The same rows from both.

`files` are a publisher's files line by line, `formats` those that are not one object a line,
`faults` what is wrong with a row and the report of it, `folder` and `hub` the two sources, `split`
what they have for a task, `rows` the checked rows; `outside` reads other files that somebody else
made: vocabularies, configurations.
"""
