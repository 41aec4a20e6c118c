"""What the report page says about the measure: the protocol in short, its regimes, and what it cannot show."""

REGIMES = {
    "own": "one line drawn from those of the probe photo itself",
    "own3": "three such lines",
    "paper": "one line, and templates are enrolled with one line too",
    "cross": "one line of another photo of the same person (not the first); that line is withheld from enrolment, and "
    "that photo is no verification pair of the probe",
    "cross2": "two lines of that other photo",
    "cross3": "three lines of that other photo",
    "wrong": "one line of another person; that line is withheld from enrolment",
    "wrong2": "two lines of that other person's photo",
    "wrong3": "three lines of that other person's photo",
    "constant": "one fixed sentence for every photo on both sides",
    "none": "nothing; templates keep their lines",
}
"""Regime → what is said of the probe."""

PROTOCOL = (
    "Verification scores every pair of distinct images once; of a pair in one labelled set the image with the earlier "
    "file name is the template, the other the probe. With a gallery of its own, every probe meets every template.",
    "A FAR is reported only where it expects 10 false accepts or more. The threshold is the smallest that keeps the "
    "FAR at or below its target; ties are accepted together or not at all.",
    "Identification: the gallery is the first image (by file name) of every subject, every other image is searched. A "
    "tie counts against the mate. Open set: a seeded half of the subjects is left out of the gallery; where probes are "
    "of people who are not enrolled, these are the open set.",
    "Intervals hold 95 %: bootstrap over subjects; thresholds are found anew in each resample. Where nothing or "
    "everything failed, the Clopper–Pearson limit over the number of subjects stands in. A paired difference is taken "
    "within each resample.",
    "Templates are enrolled with all their lines, except where a regime says otherwise.",
)

CAVEATS = (
    "A score orders candidates. It is not a probability, and no figure here makes a candidate an identification.",
    "The ladder degrades aligned faces: pose, motion, a real camera's compression and misplaced landmarks come on top. "
    "Whole photos, with misplaced landmarks and missed faces, are measured end to end and as failure to enrol.",
    "Figures hold for people and pictures like these; captions of a data set are tidier than a witness.",
    "Photos that differ in a byte count as distinct: a re-encoded or mirrored copy of one is not noticed.",
    "Wrong labels in the data count as errors of the system; the lowest FAR and FPIR rest on few pairs.",
    "Many figures stand side by side: of twenty differences that are none, one interval excludes zero by chance.",
)

TOLD = {
    "marks": "▲ better and ▼ worse than frozen: the interval of the paired difference excludes zero.",
    "open-set": "Some searches are for somebody who is not enrolled. FNIR: share of the enrolled who are missed at the "
    "threshold that raises a false alarm in the given share (FPIR) of the other searches.",
    "scores": "Scores order candidates; they are not probabilities, and those of one system say nothing about those of "
    "another.",
    "enrolment": "The whole photo is degraded until its face has the level's size; then the detector looks again. A "
    "photo without a face as it is leaves every other figure; those are of aligned faces, degraded after detection.",
    "no-enrolment": "Not measured (--no-enrolment).",
    "end-to-end": "What a user meets: the whole photo is degraded, then found, aligned and encoded; the gallery is at "
    "full quality. A photo in which no face is found is a miss at every rank and a false non-match.",
    "no-end-to-end": "Not measured (--no-end-to-end).",
    "groups": "Error rates. Impostors are of the same group; the gallery of a search is everybody. The ratio has no "
    "interval: between small groups it is large by chance, so read the intervals first.",
    "few": "In these groups a figure is not shown because too few people or pairs stand behind it: {}.",
}
"""What a section of the page says of its figures."""
