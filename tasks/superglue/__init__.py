"""SuperGLUE: eight tasks of language understanding, one small file each."""
