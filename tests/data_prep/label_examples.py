"""Label files in every released form, small and with the oddities of the real ones."""

from __future__ import annotations

import io
import json

import numpy as np
from scipy.io import savemat

LINE = "10,10,40,10,40,20,10,20"

FOURTEEN = [(10 + 5 * i, 10) for i in range(7)] + [(40 - 5 * i, 30) for i in range(7)]

NUMBERS = ",".join(f"{x},{y}" for x, y in FOURTEEN)

TOTALTEXT = """x: [[10 25 40 40 10]], y: [[10 8 10
 20 20]], ornt: [u'c'], transcriptions: [u'ALEX\\'S']
x: [[10 40 40]], y: [[10 10 20]], ornt: [u'm'], transcriptions: [u'say "hi", [ok]']
x: [[10 40 40 10]], y: [[10 10 20 20]], ornt: [u'#'], transcriptions: [u'#']
x: [[10 40]], y: [[10 20]], ornt: [u'h'], transcriptions: [u'two']
x: [[10 40 40]], y: [[10 10]], ornt: [u'h'], transcriptions: [u'short']
"""


def matlab_rows(*rows, key="polygt"):
    cells = np.empty((len(rows), 6), object)
    for i, (xs, ys, text, ornt) in enumerate(rows):
        for k, value in enumerate(("x:", np.int16([xs]), "y:", np.int16([ys]), text, ornt)):
            cells[i, k] = np.array([value]) if isinstance(value, str) else value
    file = io.BytesIO()
    savemat(file, {key: cells}, do_compression=True)
    return file.getvalue()


CTW_XML = f"""<Annotations>
 <image file="0001.jpg">
  <box height="20" left="10" top="10" width="30">
   <label>Tea &amp; Cake</label>
   <segs>{NUMBERS}</segs>
   <pts x="1" y="2" />
  </box>
  <box height="20" left="10" top="10" width="30"><label>###</label><segs>{NUMBERS}</segs></box>
  <box height="1" left="1" top="1" width="1"><label>short</label><segs>1,2,3</segs></box>
 </image>
</Annotations>
"""


def quad(x0, y0, x1, y1):
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def rects_json(lines, chars):
    def items(boxes):
        return [{"points": quad(*box), "transcription": t, "ignore": i} for box, t, i in boxes]

    return json.dumps({"lines": items(lines), "chars": items(chars)}, ensure_ascii=False).encode()


EXAMPLES = {
    "quads": f"{LINE},Tea\n".encode(),
    "boxes": b'10 10 40 20 "Tea"\n',
    "scripts": f"{LINE},Latin,Tea\n".encode(),
    "turned_boxes": b"0 0 10 20 40 20 0.5\n",
    "totaltext_text": TOTALTEXT.encode(),
    "ctw1500_xml": CTW_XML.encode(),
    "ctw1500_text": f"{NUMBERS},####Tea\n".encode(),
    "rects": rects_json([((10, 10, 30, 20), "你", 1)], []),
}


def structures(name, rows):
    array = np.zeros((1, len(rows)), [("ImgName", object), ("GroundTruth", object), ("smallLexi", object)])
    for i, (path, text) in enumerate(rows):
        array[0, i] = (path, text, np.array([["A", "B"]], object))
    file = io.BytesIO()
    savemat(file, {name: array})
    return file.getvalue()


SVT = """<?xml version="1.0" encoding="utf-8"?>
<tagset><image><imageName>img/14_03.jpg</imageName><address>a</address><lex>LIVING,ROOM</lex><Resolution x="100" y="60"/>
<taggedRectangles>
<taggedRectangle height="20" width="40" x="10" y="5"><tag>LIVING</tag></taggedRectangle>
<taggedRectangle height="20" width="30" x="60" y="30"><tag>ROOM</tag></taggedRectangle>
<taggedRectangle height="20" width="x" x="60" y="30"><tag>BAD</tag></taggedRectangle>
<taggedRectangle height="20" width="30" x="95" y="30"><tag>OUT</tag></taggedRectangle>
</taggedRectangles></image></tagset>
"""

WORDS = ["self", "It's", "a1", "Café", "Road", "5x5", "M&M"]


def imagelist():
    images = "\n".join(f'<image file="word/1/{i}.jpg" tag="{t.replace("&", "&amp;")}" />' for i, t in enumerate(WORDS))
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<imagelist>\n{images}\n</imagelist>'.encode("latin-1")


IC13 = '\ufeffword_1.png, "Tiredness"\r\nword_2.png, "kills,"\r\nword_3.png, "say \\"A\\""\r\nword_4.png, "UK"\r\n'
