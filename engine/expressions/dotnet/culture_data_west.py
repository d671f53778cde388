"""Culture data: English and the languages of Western Europe and the Americas.

Rows as read by `cultures.py`, taken from the Unicode CLDR (through Babel 2.18) in the shapes that .NET makes of it:
short dates with four-digit years, names without and with a day (genitive), numbers of the patterns of
`NumberFormatInfo`. A row `like` names the culture that all other rows come from. Data only; nothing here computes.
"""

from __future__ import annotations

CULTURES: dict[str, str] = {
    "en-US": """days Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday
days3 Sun|Mon|Tue|Wed|Thu|Fri|Sat
months January|February|March|April|May|June|July|August|September|October|November|December
months3 Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec
am AM
pm PM
shortdate M/d/yyyy
longdate dddd, MMMM d, yyyy
shorttime h:mm tt
longtime h:mm:ss tt
yearmonth MMMM yyyy
monthday MMMM d
decimal .
group ,
minus -
percent %
nan NaN
currency $
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "en-GB": """like en-US
months3 Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec
am am
pm pm
shortdate dd/MM/yyyy
longdate dddd, d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
monthday d MMMM
currency £
""",
    "en-AU": """like en-US
months3 Jan|Feb|Mar|Apr|May|June|July|Aug|Sept|Oct|Nov|Dec
am am
pm pm
shortdate d/M/yyyy
longdate dddd, d MMMM yyyy
monthday d MMMM
""",
    "en-CA": """like en-US
am a.m.
pm p.m.
shortdate yyyy-MM-dd
""",
    "en-IE": """like en-US
months3 Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec
am am
pm pm
shortdate dd/MM/yyyy
longdate dddd d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
monthday d MMMM
currency €
""",
    "en-IN": """like en-US
months3 Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec
am am
pm pm
shortdate dd/MM/yyyy
longdate dddd, d MMMM yyyy
monthday d MMMM
currency ₹
groups 3,2
""",
    "en-NZ": """like en-US
months3 Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec
am am
pm pm
shortdate dd/MM/yyyy
longdate dddd, d MMMM yyyy
monthday d MMMM
""",
    "en-SG": """like en-US
months3 Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec
am am
pm pm
shortdate d/M/yyyy
longdate dddd, d MMMM yyyy
monthday d MMMM
""",
    "en-ZA": """like en-US
months3 Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept|Oct|Nov|Dec
am am
pm pm
shortdate yyyy/MM/dd
longdate dddd, dd MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
monthday d MMMM
decimal ,
group  
currency R
currencydecimal ,
currencygroup  
""",
    "de-DE": """days Sonntag|Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag
days3 So|Mo|Di|Mi|Do|Fr|Sa
months Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember
months3 Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez
genitive3 Jan.|Feb.|März|Apr.|Mai|Juni|Juli|Aug.|Sept.|Okt.|Nov.|Dez.
am AM
pm PM
shortdate dd.MM.yyyy
longdate dddd, d. MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d. MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "de-AT": """like de-DE
months3 Jän|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez
genitive Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember
genitive3 Jän.|Feb.|März|Apr.|Mai|Juni|Juli|Aug.|Sep.|Okt.|Nov.|Dez.
currencyshape 2 9
""",
    "de-CH": """like de-DE
decimal .
group ’
currency CHF
currencydecimal .
currencygroup ’
currencyshape 2 2
percentshape 1 1
""",
    "fr-FR": """days dimanche|lundi|mardi|mercredi|jeudi|vendredi|samedi
days3 dim.|lun.|mar.|mer.|jeu.|ven.|sam.
months janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre
months3 janv.|févr.|mars|avr.|mai|juin|juil.|août|sept.|oct.|nov.|déc.
am AM
pm PM
shortdate dd/MM/yyyy
longdate dddd d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group  
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "fr-BE": """like fr-FR
shortdate d/MM/yyyy
""",
    "fr-CA": """like fr-FR
genitive3 janv.|févr.|mars|avr.|mai|juin|juill.|août|sept.|oct.|nov.|déc.
am a.m.
pm p.m.
shortdate yyyy-MM-dd
shorttime HH 'h' mm
longtime HH 'h' mm 'min' ss 's'
group  
currency $
currencygroup  
""",
    "fr-CH": """like fr-FR
shortdate dd.MM.yyyy
longdate dddd, d MMMM yyyy
currency CHF
currencydecimal .
percentshape 1 1
""",
    "es-ES": """days domingo|lunes|martes|miércoles|jueves|viernes|sábado
days3 dom|lun|mar|mié|jue|vie|sáb
months enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre
months3 ene|feb|mar|abr|may|jun|jul|ago|sept|oct|nov|dic
am a. m.
pm p. m.
shortdate d/M/yyyy
longdate dddd, d 'de' MMMM 'de' yyyy
shorttime H:mm
longtime H:mm:ss
yearmonth MMMM 'de' yyyy
monthday d 'de' MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "es-AR": """like es-ES
shorttime h:mm tt
longtime h:mm:ss tt
currency $
currencyshape 0 1
percentshape 1 1
""",
    "es-CL": """like es-ES
months3 ene.|feb.|mar.|abr.|may.|jun.|jul.|ago.|sept.|oct.|nov.|dic.
genitive3 ene|feb|mar|abr|may|jun|jul|ago|sept|oct|nov|dic
shortdate dd-MM-yyyy
shorttime h:mm tt
longtime h:mm:ss tt
currency $
currencydigits 0
currencyshape 0 2
percentshape 1 1
""",
    "es-CO": """like es-ES
months3 ene.|feb.|mar.|abr.|may.|jun.|jul.|ago.|sept.|oct.|nov.|dic.
genitive3 ene|feb|mar|abr|may|jun|jul|ago|sept|oct|nov|dic
shortdate d/MM/yyyy
shorttime h:mm tt
longtime h:mm:ss tt
currency $
currencyshape 0 1
percentshape 1 1
""",
    "es-MX": """like es-ES
genitive3 ene|feb|mar|abr|may|jun|jul|ago|sep|oct|nov|dic
am a.m.
pm p.m.
shortdate dd/MM/yyyy
shorttime h:mm tt
longtime h:mm:ss tt
decimal .
group ,
currency $
currencydecimal .
currencygroup ,
currencyshape 0 1
percentshape 1 1
""",
    "es-PE": """like es-ES
months Enero|Febrero|Marzo|Abril|Mayo|Junio|Julio|Agosto|Setiembre|Octubre|Noviembre|Diciembre
months3 Ene.|Feb.|Mar.|Abr.|May.|Jun.|Jul.|Ago.|Set.|Oct.|Nov.|Dic.
genitive enero|febrero|marzo|abril|mayo|junio|julio|agosto|setiembre|octubre|noviembre|diciembre
genitive3 ene.|feb.|mar.|abr.|may.|jun.|jul.|ago.|set.|oct.|nov.|dic.
shortdate d/MM/yyyy
shorttime h:mm tt
longtime h:mm:ss tt
decimal .
group ,
currency S/
currencydecimal .
currencygroup ,
currencyshape 2 9
percentshape 1 1
""",
    "it-IT": """days domenica|lunedì|martedì|mercoledì|giovedì|venerdì|sabato
days3 dom|lun|mar|mer|gio|ven|sab
months gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre
months3 gen|feb|mar|apr|mag|giu|lug|ago|set|ott|nov|dic
am AM
pm PM
shortdate dd/MM/yyyy
longdate dddd d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "it-CH": """like it-IT
shortdate dd.MM.yyyy
longdate dddd, d MMMM yyyy
decimal .
group ’
currency CHF
currencydecimal .
currencygroup ’
currencyshape 2 2
""",
    "nl-NL": """days zondag|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag
days3 zo|ma|di|wo|do|vr|za
months januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december
months3 jan|feb|mrt|apr|mei|jun|jul|aug|sep|okt|nov|dec
am a.m.
pm p.m.
shortdate dd-MM-yyyy
longdate dddd d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 2 12
percentshape 1 1
""",
    "nl-BE": """like nl-NL
shortdate d/MM/yyyy
""",
    "pt-PT": """days domingo|segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira|sábado
days3 domingo|segunda|terça|quarta|quinta|sexta|sábado
months janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro
months3 jan.|fev.|mar.|abr.|mai.|jun.|jul.|ago.|set.|out.|nov.|dez.
am a.m.
pm p.m.
shortdate dd/MM/yyyy
longdate dddd, d 'de' MMMM 'de' yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM 'de' yyyy
monthday d 'de' MMMM
decimal ,
group  
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "pt-BR": """like pt-PT
am AM
pm PM
group .
currency R$
currencygroup .
currencyshape 2 9
""",
    "ca-ES": """days diumenge|dilluns|dimarts|dimecres|dijous|divendres|dissabte
days3 dg.|dl.|dt.|dc.|dj.|dv.|ds.
months gener|febrer|març|abril|maig|juny|juliol|agost|setembre|octubre|novembre|desembre
months3 gen.|febr.|març|abr.|maig|juny|jul.|ag.|set.|oct.|nov.|des.
genitive de gener|de febrer|de març|d’abril|de maig|de juny|de juliol|d’agost|de setembre|d’octubre|
+ de novembre|de desembre
genitive3 de gen.|de febr.|de març|d’abr.|de maig|de juny|de jul.|d’ag.|de set.|d’oct.|de nov.|de des.
am a. m.
pm p. m.
shortdate d/M/yyyy
longdate dddd, d MMMM 'del' yyyy
shorttime H:mm
longtime H:mm:ss
yearmonth MMMM 'del' yyyy
monthday d MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "gl-ES": """days domingo|luns|martes|mércores|xoves|venres|sábado
days3 dom.|luns|mar.|mér.|xov.|ven.|sáb.
months xaneiro|febreiro|marzo|abril|maio|xuño|xullo|agosto|setembro|outubro|novembro|decembro
months3 xan.|feb.|mar.|abr.|maio|xuño|xul.|ago.|set.|out.|nov.|dec.
am a.m.
pm p.m.
shortdate dd/MM/yyyy
longdate dddd, d 'de' MMMM 'de' yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM 'de' yyyy
monthday d 'de' MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency €
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "eu-ES": """days igandea|astelehena|asteartea|asteazkena|osteguna|ostirala|larunbata
days3 ig.|al.|ar.|az.|og.|or.|lr.
months urtarrila|otsaila|martxoa|apirila|maiatza|ekaina|uztaila|abuztua|iraila|urria|azaroa|abendua
months3 urt.|ots.|mar.|api.|mai.|eka.|uzt.|abu.|ira.|urr.|aza.|abe.
am AM
pm PM
shortdate yyyy/M/d
longdate yyyy('e')'ko' MMMM'ren' d('a'), dddd
shorttime HH:mm
longtime HH:mm:ss
yearmonth yyyy('e')'ko' MMMM
monthday MMMM'ren' d('a')
decimal ,
group .
minus −
percent %
nan NaN
currency €
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 3 7
""",
}
