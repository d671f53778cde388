"""Culture data: languages of Asia and Africa.

Rows as read by `cultures.py`, taken from the Unicode CLDR (through Babel 2.18) in the shapes that .NET makes of it:
short dates with four-digit years, names without and with a day (genitive), numbers of the patterns of
`NumberFormatInfo`. A row `like` names the culture that all other rows come from. Data only; nothing here computes.
"""

from __future__ import annotations

CULTURES: dict[str, str] = {
    "he-IL": """days יום ראשון|יום שני|יום שלישי|יום רביעי|יום חמישי|יום שישי|יום שבת
days3 יום א׳|יום ב׳|יום ג׳|יום ד׳|יום ה׳|יום ו׳|שבת
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
am AM
pm PM
shortdate d.M.yyyy
longdate dddd, d בMMMM yyyy
shorttime H:mm
longtime H:mm:ss
yearmonth MMMM yyyy
monthday d בMMMM
decimal .
group ,
minus -
percent %
nan NaN
currency ₪
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "ar-AE": """days الأحد|الاثنين|الثلاثاء|الأربعاء|الخميس|الجمعة|السبت
days3 الأحد|الاثنين|الثلاثاء|الأربعاء|الخميس|الجمعة|السبت
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive يناير|فبراير|مارس|أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|نوفمبر|ديسمبر
genitive3 يناير|فبراير|مارس|أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|نوفمبر|ديسمبر
am ص
pm م
shortdate d/M/yyyy
longdate dddd، d MMMM yyyy
shorttime h:mm tt
longtime h:mm:ss tt
yearmonth MMMM yyyy
monthday d MMMM
decimal .
group ,
minus -
percent %
nan ليس رقم
currency د.إ.
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "ar-EG": """like ar-AE
currency ج.م.
""",
    "ja-JP": """days 日曜日|月曜日|火曜日|水曜日|木曜日|金曜日|土曜日
days3 日|月|火|水|木|金|土
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive 1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月
genitive3 1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月
am 午前
pm 午後
shortdate yyyy/MM/dd
longdate yyyy年M月d日dddd
shorttime H:mm
longtime H:mm:ss
yearmonth yyyy年M月
monthday M月d日
decimal .
group ,
minus -
percent %
nan NaN
currency ￥
currencydecimal .
currencygroup ,
currencydigits 0
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "zh-CN": """days 星期日|星期一|星期二|星期三|星期四|星期五|星期六
days3 周日|周一|周二|周三|周四|周五|周六
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive 一月|二月|三月|四月|五月|六月|七月|八月|九月|十月|十一月|十二月
genitive3 1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月
am 上午
pm 下午
shortdate yyyy/M/d
longdate yyyy年M月d日dddd
shorttime HH:mm
longtime HH:mm:ss
yearmonth yyyy年M月
monthday M月d日
decimal .
group ,
minus -
percent %
nan NaN
currency ¥
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "zh-TW": """days 星期日|星期一|星期二|星期三|星期四|星期五|星期六
days3 週日|週一|週二|週三|週四|週五|週六
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive 1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月
genitive3 1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月
am 上午
pm 下午
shortdate yyyy/M/d
longdate yyyy年M月d日 dddd
shorttime tt h:mm
longtime tt h:mm:ss
yearmonth yyyy年M月
monthday M月d日
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
    "zh-HK": """days 星期日|星期一|星期二|星期三|星期四|星期五|星期六
days3 週日|週一|週二|週三|週四|週五|週六
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive 1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月
genitive3 1月|2月|3月|4月|5月|6月|7月|8月|9月|10月|11月|12月
am 上午
pm 下午
shortdate d/M/yyyy
longdate yyyy年M月d日dddd
shorttime tth:mm
longtime tth:mm:ss
yearmonth yyyy年M月
monthday M月d日
decimal .
group ,
minus -
percent %
nan NaN
currency HK$
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "ko-KR": """days 일요일|월요일|화요일|수요일|목요일|금요일|토요일
days3 일|월|화|수|목|금|토
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive 1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월
genitive3 1월|2월|3월|4월|5월|6월|7월|8월|9월|10월|11월|12월
am 오전
pm 오후
shortdate yyyy. M. d.
longdate yyyy년 MMMM d일 dddd
shorttime tt h:mm
longtime tt h:mm:ss
yearmonth yyyy년 MMMM
monthday MMMM d일
decimal .
group ,
minus -
percent %
nan NaN
currency ₩
currencydecimal .
currencygroup ,
currencydigits 0
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "hi-IN": """days रविवार|सोमवार|मंगलवार|बुधवार|गुरुवार|शुक्रवार|शनिवार
days3 रवि|सोम|मंगल|बुध|गुरु|शुक्र|शनि
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive जनवरी|फ़रवरी|मार्च|अप्रैल|मई|जून|जुलाई|अगस्त|सितंबर|अक्टूबर|नवंबर|दिसंबर
genitive3 जन॰|फ़र॰|मार्च|अप्रैल|मई|जून|जुल॰|अग॰|सित॰|अक्टू॰|नव॰|दिस॰
am am
pm pm
shortdate d/M/yyyy
longdate dddd, d MMMM yyyy
shorttime h:mm tt
longtime h:mm:ss tt
yearmonth MMMM yyyy
monthday d MMMM
decimal .
group ,
minus -
percent %
nan NaN
currency ₹
currencydecimal .
currencygroup ,
currencydigits 2
groups 3,2
currencyshape 0 1
percentshape 1 1
""",
    "bn-IN": """days রবিবার|সোমবার|মঙ্গলবার|বুধবার|বৃহস্পতিবার|শুক্রবার|শনিবার
days3 রবি|সোম|মঙ্গল|বুধ|বৃহস্পতি|শুক্র|শনি
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 জানু|ফেব|মার্চ|এপ্রিল|মে|জুন|জুলাই|আগস্ট|সেপ্টেঃ|অক্টোঃ|নভেঃ|ডিসেঃ
genitive জানুয়ারী|ফেব্রুয়ারী|মার্চ|এপ্রিল|মে|জুন|জুলাই|আগস্ট|সেপ্টেম্বর|অক্টোবর|নভেম্বর|ডিসেম্বর
genitive3 জানু|ফেব|মার্চ|এপ্রি|মে|জুন|জুল|আগ|সেপ্টেঃ|অক্টোঃ|নভেঃ|ডিসেঃ
am AM
pm PM
shortdate d/M/yyyy
longdate dddd, d MMMM, yyyy
shorttime h:mm tt
longtime h:mm:ss tt
yearmonth MMMM yyyy
monthday d MMMM
decimal .
group ,
minus -
percent %
nan NaN
currency ₹
currencydecimal .
currencygroup ,
currencydigits 2
groups 3,2
currencyshape 0 1
percentshape 1 1
""",
    "ta-IN": """days ஞாயிறு|திங்கள்|செவ்வாய்|புதன்|வியாழன்|வெள்ளி|சனி
days3 ஞாயி.|திங்.|செவ்.|புத.|வியா.|வெள்.|சனி
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive ஜனவரி|பிப்ரவரி|மார்ச்|ஏப்ரல்|மே|ஜூன்|ஜூலை|ஆகஸ்ட்|செப்டம்பர்|அக்டோபர்|நவம்பர்|டிசம்பர்
genitive3 ஜன.|பிப்.|மார்.|ஏப்.|மே|ஜூன்|ஜூலை|ஆக.|செப்.|அக்.|நவ.|டிச.
am AM
pm PM
shortdate d/M/yyyy
longdate dddd, d MMMM, yyyy
shorttime h:mm tt
longtime h:mm:ss tt
yearmonth MMMM yyyy
monthday d MMMM
decimal .
group ,
minus -
percent %
nan NaN
currency ₹
currencydecimal .
currencygroup ,
currencydigits 2
groups 3,2
currencyshape 0 1
percentshape 1 1
""",
    "vi-VN": """days Chủ Nhật|Thứ Hai|Thứ Ba|Thứ Tư|Thứ Năm|Thứ Sáu|Thứ Bảy
days3 CN|Th 2|Th 3|Th 4|Th 5|Th 6|Th 7
months Tháng 1|Tháng 2|Tháng 3|Tháng 4|Tháng 5|Tháng 6|Tháng 7|Tháng 8|Tháng 9|Tháng 10|Tháng 11|Tháng 12
months3 Tháng 1|Tháng 2|Tháng 3|Tháng 4|Tháng 5|Tháng 6|Tháng 7|Tháng 8|Tháng 9|Tháng 10|Tháng 11|Tháng 12
genitive tháng 1|tháng 2|tháng 3|tháng 4|tháng 5|tháng 6|tháng 7|tháng 8|tháng 9|tháng 10|tháng 11|tháng 12
genitive3 thg 1|thg 2|thg 3|thg 4|thg 5|thg 6|thg 7|thg 8|thg 9|thg 10|thg 11|thg 12
am SA
pm CH
shortdate d/M/yyyy
longdate dddd, d MMMM, yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM 'năm' yyyy
monthday d MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency ₫
currencydecimal ,
currencygroup .
currencydigits 0
groups 3
currencyshape 3 8
percentshape 1 1
""",
    "id-ID": """days Minggu|Senin|Selasa|Rabu|Kamis|Jumat|Sabtu
days3 Min|Sen|Sel|Rab|Kam|Jum|Sab
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive Januari|Februari|Maret|April|Mei|Juni|Juli|Agustus|September|Oktober|November|Desember
genitive3 Jan|Feb|Mar|Apr|Mei|Jun|Jul|Agu|Sep|Okt|Nov|Des
am AM
pm PM
shortdate dd/MM/yyyy
longdate dddd, dd MMMM yyyy
shorttime HH.mm
longtime HH.mm.ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group .
minus -
percent %
nan NaN
currency Rp
currencydecimal ,
currencygroup .
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "ms-MY": """days Ahad|Isnin|Selasa|Rabu|Khamis|Jumaat|Sabtu
days3 Ahd|Isn|Sel|Rab|Kha|Jum|Sab
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive Januari|Februari|Mac|April|Mei|Jun|Julai|Ogos|September|Oktober|November|Disember
genitive3 Jan|Feb|Mac|Apr|Mei|Jun|Jul|Ogo|Sep|Okt|Nov|Dis
am PG
pm PTG
shortdate d/MM/yyyy
longdate dddd, d MMMM yyyy
shorttime h:mm tt
longtime h:mm:ss tt
yearmonth MMMM yyyy
monthday d MMMM
decimal .
group ,
minus -
percent %
nan NaN
currency RM
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "fil-PH": """days Linggo|Lunes|Martes|Miyerkules|Huwebes|Biyernes|Sabado
days3 Lin|Lun|Mar|Miy|Huw|Biy|Sab
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive Enero|Pebrero|Marso|Abril|Mayo|Hunyo|Hulyo|Agosto|Setyembre|Oktubre|Nobyembre|Disyembre
genitive3 Ene|Peb|Mar|Abr|May|Hun|Hul|Ago|Set|Okt|Nob|Dis
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
currency ₱
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
    "sw-KE": """days Jumapili|Jumatatu|Jumanne|Jumatano|Alhamisi|Ijumaa|Jumamosi
days3 Jumapili|Jumatatu|Jumanne|Jumatano|Alhamisi|Ijumaa|Jumamosi
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive Januari|Februari|Machi|Aprili|Mei|Juni|Julai|Agosti|Septemba|Oktoba|Novemba|Desemba
genitive3 Jan|Feb|Mac|Apr|Mei|Jun|Jul|Ago|Sep|Okt|Nov|Des
am AM
pm PM
shortdate dd/MM/yyyy
longdate dddd, d MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal .
group ,
minus -
percent %
nan NaN
currency Ksh
currencydecimal .
currencygroup ,
currencydigits 2
groups 3
currencyshape 2 9
percentshape 1 1
""",
    "af-ZA": """days Jumapili|Jumatatu|Jumanne|Jumatano|Alhamisi|Ijumaa|Jumamosi
days3 Jumapili|Jumatatu|Jumanne|Jumatano|Alhamisi|Ijumaa|Jumamosi
months ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר
months3 ינו׳|פבר׳|מרץ|אפר׳|מאי|יוני|יולי|אוג׳|ספט׳|אוק׳|נוב׳|דצמ׳
genitive Januarie|Februarie|Maart|April|Mei|Junie|Julie|Augustus|September|Oktober|November|Desember
genitive3 Jan.|Feb.|Mrt.|Apr.|Mei|Jun.|Jul.|Aug.|Sep.|Okt.|Nov.|Des.
am vm.
pm nm.
shortdate yyyy-MM-dd
longdate dddd dd MMMM yyyy
shorttime HH:mm
longtime HH:mm:ss
yearmonth MMMM yyyy
monthday d MMMM
decimal ,
group  
minus -
percent %
nan NaN
currency R
currencydecimal ,
currencygroup  
currencydigits 2
groups 3
currencyshape 0 1
percentshape 1 1
""",
}
