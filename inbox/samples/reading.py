"""Things to read: a scientific article in two columns and a page of a newspaper."""

from __future__ import annotations

from inbox.samples.sheet import Font, Sheet, wrap

ABSTRACT = """\
Urban swifts nest under roof tiles whose temperature can exceed 50 °C in summer. We recorded nest \
temperature, chick mass and fledging date in 64 nests on three roof types over two breeding \
seasons. Nests below white-painted tiles were on average 3.8 °C cooler at noon (95% CI 3.1 to \
4.5, p < 0.001), and their chicks fledged 1.9 days earlier. The effect was largest on \
south-facing slopes. Our results suggest that light-coloured tiles are a cheap measure for the \
conservation of birds that breed on buildings."""

BODY = """\
# 1. Introduction
Cities are warmer than the land around them, and roofs are the warmest part of cities [1]. For \
birds that breed in cavities of buildings this can mean heat stress for the chicks, slower growth \
and early departure from the nest [2, 3]. Swifts (Apus apus) return to the same cavity year after \
year, which makes them a good model for the effect of roof materials.
Previous studies have compared cities with their surroundings (Hedlund et al., 2019), but few have \
compared roofs within one street. Here we test the hypothesis that the colour of tiles alone \
changes the temperature of the nest and the growth of the chicks.
# 2. Methods
The study was carried out in the old town of Eastholme in 2023 and 2024. We chose 64 nests under \
red clay tiles (n = 24), dark concrete tiles (n = 20) and tiles painted white (n = 20). Loggers \
measured the temperature every ten minutes, 4 cm above the nest. Chicks were weighed every third \
day by two observers.
We fitted linear mixed models with roof type, slope and brood size as fixed effects and nest as a \
random effect. Analyses were done with open-source software; data and code are available from the \
corresponding author.
# 3. Results
Mean noon temperature was 41.2 °C (SD 2.9) under red tiles, 43.0 °C (SD 3.3) under concrete and \
37.4 °C (SD 2.1) under white tiles (Table 1). Roof type explained 46% of the variance. Chicks \
under white tiles were heavier on day 21 (Fig. 2) and fledged earlier (t = 3.42, df = 61, \
p = 0.001).
Mortality did not differ significantly between roof types (p = 0.18), although the sample was \
small.
# 4. Discussion
A coat of white paint cooled nests as much as the difference between a hot and an ordinary summer. \
This agrees with experiments on nest boxes [4]. In contrast to Moreau and Tan (2021) we found no \
effect of slope under cool tiles, probably because little heat was left to come in.
Our study has limitations: roofs were not assigned at random, and two seasons are few. Further \
research should include other species and colder climates.
# Acknowledgements
We thank the owners of the houses, who let us climb on their roofs at noon.
# References
[1] Abara, K., Lind, S. (2017). Roofs and the urban heat island. J. Urban Clim. 12(3), 201-219.
[2] Hedlund, P. et al. (2019). Heat and growth in cavity nesters. Avian Ecol. 44, 77-90.
[3] Moreau, J., Tan, W. (2021). Slope, shade and nest climate. Build. Ecol. 8(1), 15-31. \
doi:10.9999/be.2021.015
[4] Serrano, M. (2015). Painted boxes. Proc. Nest Box Conf., pp. 3-11."""

COLUMN, LOWEST = 232.0, 780.0


def article() -> Sheet:
    """A short scientific article."""
    sheet = Sheet()
    sheet.text(56, 48, "Journal of Built Habitats 7 (2025) 112", Font.SERIF_ITALIC, size=9)
    sheet.right(539, 48, "doi:10.9999/jbh.2025.0112", Font.SERIF, size=9)
    for number, line in enumerate(
        ["Cool roofs, early birds: tile colour and the growth", "of swift chicks in an old town"]
    ):
        sheet.middle(297, 84 + 22 * number, line, Font.SERIF_BOLD, size=17)
    sheet.middle(297, 130, "Ilse Vandermeer, Rafael Quispe and Oona Tuominen", Font.SERIF, size=11)
    place = "Department of Ecology, University of Eastholme"
    sheet.middle(297, 145, place, Font.SERIF_ITALIC, size=10)
    sheet.text(80, 172, "Abstract", Font.SERIF_BOLD, size=10)
    y = sheet.paragraph(80, 186, 435, ABSTRACT, Font.SERIF, size=9.5)
    keywords = "Keywords: Apus apus; nest temperature; roof; urban ecology; conservation"
    sheet.text(80, y + 4, keywords, Font.SERIF_ITALIC, size=9.5)
    _pour(sheet, [(56.0, y + 30), (307.0, y + 30)])
    return sheet


def _pour(sheet: Sheet, columns: list[tuple[float, float]]) -> None:
    """Write the body down the columns, one after the other."""
    waiting = iter(columns)
    x, y = next(waiting)
    for paragraph in BODY.splitlines():
        heading = paragraph.startswith("# ")
        font = Font.SERIF_BOLD if heading else Font.SERIF
        for line in wrap(paragraph.removeprefix("# "), font, 10, COLUMN):
            if y > LOWEST - 30 * heading:
                x, y = next(waiting)
            sheet.text(x, y, line, font, size=10)
            y += 13
        y += 5


NEWS = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Ferry returns to Whitcombe Bay after nine years - The Eastholme Courier</title>
</head>
<body>
<header><p>The Eastholme Courier</p></header>
<article>
<h1>Ferry returns to Whitcombe Bay after nine years</h1>
<p class="byline">By Samuel Achterberg, Transport Correspondent</p>
<p>Published 6 May 2026, 7:45 am</p>
<p>WHITCOMBE BAY - Hundreds of residents lined the harbour wall on Tuesday evening to welcome the
first passenger ferry to dock here since 2017, when the old service was scrapped after a fall in
the number of passengers.</p>
<p>The electric vessel, named Gannet, will cross the estuary to Eastholme eight times a day. The
journey takes 22 minutes, compared with about an hour by road, officials said.</p>
<p>"People told us it would never come back," said Councillor Beatriz Lomax, who led the campaign.
"Tonight you can see what they think of that."</p>
<p>The county has spent 6.4 million pounds on the boat and a new pontoon. Critics said last year
that the money should have gone to buses, and the opposition leader, Piers Hathersage, told
reporters that he still had doubts about the winter timetable.</p>
<p>According to the operator, more than 3,000 tickets were sold before the first crossing. A single
fare costs 3.20 pounds; children under 12 travel free.</p>
<p>Fishermen, who had feared for their moorings, said they were satisfied after an agreement was
reached in March. "It is slow in the harbour and it makes no noise," said Annika Brandt, who has
fished here for thirty years. "I have nothing to complain about, which is unusual."</p>
<p>The service was expected to start in April but was delayed by a fault in the charging equipment.
A spokesman for the county said the fault had been repaired.</p>
</article>
</body>
</html>
"""
