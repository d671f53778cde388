"""Culture data: the other languages of Europe.

Rows as read by `cultures.py`, taken from the Unicode CLDR (through Babel 2.18) in the shapes that .NET makes of it:
short dates with four-digit years, names without and with a day (genitive), numbers of the patterns of
`NumberFormatInfo`. A row `like` names the culture that all other rows come from. Data only; nothing here computes.
"""

from __future__ import annotations

CULTURES: dict[str, str] = {
    "da-DK": """days søndag|mandag|tirsdag|onsdag|torsdag|fredag|lørdag
days3 søn.|man.|tirs.|ons.|tors.|fre.|lør.
months januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december
months3 jan.|feb.|mar.|apr.|maj|jun.|jul.|aug.|sep.|okt.|nov.|dec.
am AM
pm PM
shortdate dd.MM.yyyy
longdate dddd 'den' d. MMMM yyyy
shorttime HH.mm
longtime HH.mm.ss
yearmonth MMMM yyyy
monthday d. MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency kr.
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "sv-SE": """days söndag|måndag|tisdag|onsdag|torsdag|fredag|lördag
days3 sön|mån|tis|ons|tors|fre|lör
months januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december
months3 jan.|feb.|mars|apr.|maj|juni|juli|aug.|sep.|okt.|nov.|dec.
am fm
pm em
shortdate yyyy-MM-dd
longdate dddd d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group  
minus −
percent %
nan NaN
currency kr
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "nb-NO": """days søndag|mandag|tirsdag|onsdag|torsdag|fredag|lørdag
days3 søn.|man.|tir.|ons.|tor.|fre.|lør.
months januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember
months3 jan|feb|mar|apr|mai|jun|jul|aug|sep|okt|nov|des
genitive3 jan.|feb.|mars|apr.|mai|juni|juli|aug.|sep.|okt.|nov.|des.
am a.m.
pm p.m.
shortdate dd.MM.yyyy
longdate dddd d. MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d. MMMM
decimal ,
group  
minus −
percent %
nan NaN
currency kr
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "fi-FI": """days sunnuntai|maanantai|tiistai|keskiviikko|torstai|perjantai|lauantai
days3 su|ma|ti|ke|to|pe|la
months tammikuu|helmikuu|maaliskuu|huhtikuu|toukokuu|kesäkuu|heinäkuu|elokuu|syyskuu|lokakuu|marraskuu|joulukuu
months3 tammi|helmi|maalis|huhti|touko|kesä|heinä|elo|syys|loka|marras|joulu
genitive tammikuuta|helmikuuta|maaliskuuta|huhtikuuta|toukokuuta|kesäkuuta|heinäkuuta|elokuuta|syyskuuta|
+ lokakuuta|marraskuuta|joulukuuta
am ap.
pm ip.
shortdate d.M.yyyy
longdate dddd d. MMMM yyyy
shorttime H.mm
longtime H.mm.ss
yearmonth MMMM yyyy
monthday d. MMMM
decimal ,
group  
minus −
percent %
nan epäluku
currency €
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "is-IS": """days sunnudagur|mánudagur|þriðjudagur|miðvikudagur|fimmtudagur|föstudagur|laugardagur
days3 sun.|mán.|þri.|mið.|fim.|fös.|lau.
months janúar|febrúar|mars|apríl|maí|júní|júlí|ágúst|september|október|nóvember|desember
months3 jan.|feb.|mar.|apr.|maí|jún.|júl.|ágú.|sep.|okt.|nóv.|des.
am f.h.
pm e.h.
shortdate d.M.yyyy
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
currency kr
currencydecimal ,
currencygroup .
currencydigits 0
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "et-EE": """days pühapäev|esmaspäev|teisipäev|kolmapäev|neljapäev|reede|laupäev
days3 P|E|T|K|N|R|L
months jaanuar|veebruar|märts|aprill|mai|juuni|juuli|august|september|oktoober|november|detsember
months3 jaan|veebr|märts|apr|mai|juuni|juuli|aug|sept|okt|nov|dets
am AM
pm PM
shortdate dd.MM.yyyy
longdate dddd, d. MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d. MMMM
decimal ,
group  
minus −
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
    "lv-LV": """days Svētdiena|Pirmdiena|Otrdiena|Trešdiena|Ceturtdiena|Piektdiena|Sestdiena
days3 Svētd.|Pirmd.|Otrd.|Trešd.|Ceturtd.|Piektd.|Sestd.
months janvāris|februāris|marts|aprīlis|maijs|jūnijs|jūlijs|augusts|septembris|oktobris|novembris|decembris
months3 janv.|febr.|marts|apr.|maijs|jūn.|jūl.|aug.|sept.|okt.|nov.|dec.
am priekšp.
pm pēcp.
shortdate dd.MM.yyyy
longdate dddd, yyyy. 'gada' d. MMMM
shorttime HH:mm
longtime HH:mm:ss
yearmonth yyyy. 'g'. MMMM
monthday d. MMMM
decimal ,
group  
minus -
percent %
nan NS
currency €
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "lt-LT": """days sekmadienis|pirmadienis|antradienis|trečiadienis|ketvirtadienis|penktadienis|šeštadienis
days3 sk|pr|an|tr|kt|pn|št
months sausis|vasaris|kovas|balandis|gegužė|birželis|liepa|rugpjūtis|rugsėjis|spalis|lapkritis|gruodis
months3 saus.|vas.|kov.|bal.|geg.|birž.|liep.|rugp.|rugs.|spal.|lapkr.|gruod.
genitive sausio|vasario|kovo|balandžio|gegužės|birželio|liepos|rugpjūčio|rugsėjo|spalio|lapkričio|gruodžio
am priešpiet
pm popiet
shortdate yyyy-MM-dd
longdate yyyy 'm'. MMMM d 'd'., dddd
shorttime HH:mm
longtime HH:mm:ss
yearmonth yyyy 'm'. MMMM
monthday MMMM d 'd'.
decimal ,
group  
minus −
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
    "pl-PL": """days niedziela|poniedziałek|wtorek|środa|czwartek|piątek|sobota
days3 niedz.|pon.|wt.|śr.|czw.|pt.|sob.
months styczeń|luty|marzec|kwiecień|maj|czerwiec|lipiec|sierpień|wrzesień|październik|listopad|grudzień
months3 sty|lut|mar|kwi|maj|cze|lip|sie|wrz|paź|lis|gru
genitive stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia
am AM
pm PM
shortdate d.MM.yyyy
longdate dddd, d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group  
minus -
percent %
nan NaN
currency zł
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "cs-CZ": """days neděle|pondělí|úterý|středa|čtvrtek|pátek|sobota
days3 ne|po|út|st|čt|pá|so
months leden|únor|březen|duben|květen|červen|červenec|srpen|září|říjen|listopad|prosinec
months3 led|úno|bře|dub|kvě|čvn|čvc|srp|zář|říj|lis|pro
genitive ledna|února|března|dubna|května|června|července|srpna|září|října|listopadu|prosince
am dop.
pm odp.
shortdate dd.MM.yyyy
longdate dddd d. MMMM yyyy
shorttime H:mm
longtime H:mm:ss
yearmonth MMMM yyyy
monthday d. MMMM
decimal ,
group  
minus -
percent %
nan NaN
currency Kč
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "sk-SK": """days nedeľa|pondelok|utorok|streda|štvrtok|piatok|sobota
days3 ne|po|ut|st|št|pi|so
months január|február|marec|apríl|máj|jún|júl|august|september|október|november|december
months3 jan|feb|mar|apr|máj|jún|júl|aug|sep|okt|nov|dec
genitive januára|februára|marca|apríla|mája|júna|júla|augusta|septembra|októbra|novembra|decembra
am AM
pm PM
shortdate d. M. yyyy
longdate dddd d. MMMM yyyy
shorttime H:mm
longtime H:mm:ss
yearmonth MMMM yyyy
monthday d. MMMM
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
    "hu-HU": """days vasárnap|hétfő|kedd|szerda|csütörtök|péntek|szombat
days3 V|H|K|Sze|Cs|P|Szo
months január|február|március|április|május|június|július|augusztus|szeptember|október|november|december
months3 jan.|febr.|márc.|ápr.|máj.|jún.|júl.|aug.|szept.|okt.|nov.|dec.
am de.
pm du.
shortdate yyyy. MM. dd.
longdate yyyy. MMMM d., dddd
shorttime H:mm
longtime H:mm:ss
yearmonth yyyy. MMMM
monthday MMMM d.
decimal ,
group  
minus -
percent %
nan NaN
currency Ft
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "ro-RO": """days duminică|luni|marți|miercuri|joi|vineri|sâmbătă
days3 dum.|lun.|mar.|mie.|joi|vin.|sâm.
months ianuarie|februarie|martie|aprilie|mai|iunie|iulie|august|septembrie|octombrie|noiembrie|decembrie
months3 ian.|feb.|mar.|apr.|mai|iun.|iul.|aug.|sept.|oct.|nov.|dec.
am a.m.
pm p.m.
shortdate dd.MM.yyyy
longdate dddd, d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency RON
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "bg-BG": """days неделя|понеделник|вторник|сряда|четвъртък|петък|събота
days3 нд|пн|вт|ср|чт|пт|сб
months януари|февруари|март|април|май|юни|юли|август|септември|октомври|ноември|декември
months3 яну|фев|март|апр|май|юни|юли|авг|сеп|окт|ное|дек
am пр.об.
pm сл.об.
shortdate d.MM.yyyy 'г'.
longdate dddd, d MMMM yyyy 'г'.
shorttime H:mm
longtime H:mm:ss
yearmonth MMMM yyyy 'г'.
monthday d MMMM
decimal ,
group  
minus -
percent %
nan NaN
currency лв.
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "hr-HR": """days nedjelja|ponedjeljak|utorak|srijeda|četvrtak|petak|subota
days3 ned|pon|uto|sri|čet|pet|sub
months siječanj|veljača|ožujak|travanj|svibanj|lipanj|srpanj|kolovoz|rujan|listopad|studeni|prosinac
months3 sij|velj|ožu|tra|svi|lip|srp|kol|ruj|lis|stu|pro
genitive siječnja|veljače|ožujka|travnja|svibnja|lipnja|srpnja|kolovoza|rujna|listopada|studenoga|prosinca
am AM
pm PM
shortdate dd. MM. yyyy.
longdate dddd, d. MMMM yyyy.
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy.
monthday d. MMMM
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
percentshape 0 0
""",
    "sl-SI": """days nedelja|ponedeljek|torek|sreda|četrtek|petek|sobota
days3 ned.|pon.|tor.|sre.|čet.|pet.|sob.
months januar|februar|marec|april|maj|junij|julij|avgust|september|oktober|november|december
months3 jan.|feb.|mar.|apr.|maj|jun.|jul.|avg.|sep.|okt.|nov.|dec.
am dop.
pm pop.
shortdate d. M. yyyy
longdate dddd, d. MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d. MMMM
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
percentshape 0 0
""",
    "sr-Latn-RS": """days nedelja|ponedeljak|utorak|sreda|četvrtak|petak|subota
days3 ned|pon|uto|sre|čet|pet|sub
months januar|februar|mart|april|maj|jun|jul|avgust|septembar|oktobar|novembar|decembar
months3 jan|feb|mar|apr|maj|jun|jul|avg|sep|okt|nov|dec
am AM
pm PM
shortdate d. M. yyyy.
longdate dddd, d. MMMM yyyy.
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy.
monthday d. MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency RSD
currencydecimal ,
currencygroup .
currencydigits 0
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "el-GR": """days Κυριακή|Δευτέρα|Τρίτη|Τετάρτη|Πέμπτη|Παρασκευή|Σάββατο
days3 Κυρ|Δευ|Τρί|Τετ|Πέμ|Παρ|Σάβ
months Ιανουάριος|Φεβρουάριος|Μάρτιος|Απρίλιος|Μάιος|Ιούνιος|Ιούλιος|Αύγουστος|Σεπτέμβριος|Οκτώβριος|
+ Νοέμβριος|Δεκέμβριος
months3 Ιαν|Φεβ|Μάρ|Απρ|Μάι|Ιούν|Ιούλ|Αύγ|Σεπ|Οκτ|Νοέ|Δεκ
genitive Ιανουαρίου|Φεβρουαρίου|Μαρτίου|Απριλίου|Μαΐου|Ιουνίου|Ιουλίου|Αυγούστου|Σεπτεμβρίου|Οκτωβρίου|
+ Νοεμβρίου|Δεκεμβρίου
genitive3 Ιαν|Φεβ|Μαρ|Απρ|Μαΐ|Ιουν|Ιουλ|Αυγ|Σεπ|Οκτ|Νοε|Δεκ
am π.μ.
pm μ.μ.
shortdate d/M/yyyy
longdate dddd d MMMM yyyy
shorttime h:mm tt
longtime h:mm:ss tt
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
    "tr-TR": """days Pazar|Pazartesi|Salı|Çarşamba|Perşembe|Cuma|Cumartesi
days3 Paz|Pzt|Sal|Çar|Per|Cum|Cmt
months Ocak|Şubat|Mart|Nisan|Mayıs|Haziran|Temmuz|Ağustos|Eylül|Ekim|Kasım|Aralık
months3 Oca|Şub|Mar|Nis|May|Haz|Tem|Ağu|Eyl|Eki|Kas|Ara
am ÖÖ
pm ÖS
shortdate d.MM.yyyy
longdate d MMMM yyyy dddd
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency ₺
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 0 1
percentshape 2 2
""",
    "ru-RU": """days воскресенье|понедельник|вторник|среда|четверг|пятница|суббота
days3 вс|пн|вт|ср|чт|пт|сб
months январь|февраль|март|апрель|май|июнь|июль|август|сентябрь|октябрь|ноябрь|декабрь
months3 янв.|февр.|март|апр.|май|июнь|июль|авг.|сент.|окт.|нояб.|дек.
genitive января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря
genitive3 янв.|февр.|мар.|апр.|мая|июн.|июл.|авг.|сент.|окт.|нояб.|дек.
am AM
pm PM
shortdate dd.MM.yyyy
longdate dddd, d MMMM yyyy 'г'.
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy 'г'.
monthday d MMMM
decimal ,
group  
minus -
percent %
nan не число
currency ₽
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 0 0
""",
    "uk-UA": """days неділя|понеділок|вівторок|середа|четвер|пʼятниця|субота
days3 нд|пн|вт|ср|чт|пт|сб
months січень|лютий|березень|квітень|травень|червень|липень|серпень|вересень|жовтень|листопад|грудень
months3 січ.|лют.|бер.|квіт.|трав.|черв.|лип.|серп.|вер.|жовт.|лист.|груд.
genitive січня|лютого|березня|квітня|травня|червня|липня|серпня|вересня|жовтня|листопада|грудня
am дп
pm пп
shortdate dd.MM.yyyy
longdate dddd, d MMMM yyyy 'р'.
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy 'р'.
monthday d MMMM
decimal ,
group  
minus -
percent %
nan NaN
currency ₴
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "ga-IE": """days Dé Domhnaigh|Dé Luain|Dé Máirt|Dé Céadaoin|Déardaoin|Dé hAoine|Dé Sathairn
days3 Domh|Luan|Máirt|Céad|Déar|Aoine|Sath
months Eanáir|Feabhra|Márta|Aibreán|Bealtaine|Meitheamh|Iúil|Lúnasa|Meán Fómhair|Deireadh Fómhair|Samhain|
+ Nollaig
months3 Ean|Feabh|Márta|Aib|Beal|Meith|Iúil|Lún|MFómh|DFómh|Samh|Noll
am r.n.
pm i.n.
shortdate dd/MM/yyyy
longdate dddd d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal .
group ,
minus -
percent %
nan Nuimh
currency €
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "cy-GB": """days Dydd Sul|Dydd Llun|Dydd Mawrth|Dydd Mercher|Dydd Iau|Dydd Gwener|Dydd Sadwrn
days3 Sul|Llun|Maw|Mer|Iau|Gwe|Sad
months Ionawr|Chwefror|Mawrth|Ebrill|Mai|Mehefin|Gorffennaf|Awst|Medi|Hydref|Tachwedd|Rhagfyr
months3 Ion|Chw|Maw|Ebr|Mai|Meh|Gor|Awst|Medi|Hyd|Tach|Rhag
genitive3 Ion|Chwef|Maw|Ebr|Mai|Meh|Gorff|Awst|Medi|Hyd|Tach|Rhag
am AM
pm PM
shortdate dd/MM/yyyy
longdate dddd, d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday MMMM d
decimal .
group ,
minus -
percent %
nan NaN
currency £
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
}
