<?xml version="1.0" encoding="utf-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:param name="sender" />
  <xsl:template match="/Order">
    <order from="{$sender}" reference="{Number}">
      <xsl:for-each select="Line">
        <item code="{Sku}" pieces="{Quantity}" />
      </xsl:for-each>
    </order>
  </xsl:template>
</xsl:stylesheet>
