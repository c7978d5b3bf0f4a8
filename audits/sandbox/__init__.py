"""The child process in which model files of strangers are opened, and the session that speaks to it.

The modules in their order: ``limits`` and ``seccomp`` are the layers, ``confinement`` puts them on, ``wire`` is the
form of the frames, ``skops_file`` reads a model, ``child`` is the program that runs inside, ``process`` starts and
watches it, ``answers`` doubts what it says, ``session`` is what a check sees. Only the child imports model libraries.
"""
